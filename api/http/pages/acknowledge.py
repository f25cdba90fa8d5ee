"""Where the link in an alert leads: a named person says that it arrived.

Looking changes nothing: link previews look, too. The code works once, and stays out of logs and referrers."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from api.core.alerts import service, views
from api.core.clock import system_clock
from api.core.errors import Expired, NotFound, Refused
from api.http.deps import At
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/ack", include_in_schema=False)


@router.get("/{code}")
def page(request: Request, at: At, code: str) -> Response:
    return _page(request, at, code)


@router.post("/{code}")
def acknowledge(
    request: Request, at: At, code: str, name: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    try:
        with at.transaction() as session:
            alert_id = service.acknowledge_by_code(session, code, name, system_clock())
            found = views.alert(session, alert_id, at.settings.alerts.runbooks_url)
    except Refused as problem:
        return _page(request, at, code, problem=problem.message)
    except (Expired, NotFound):
        return _page(request, at, code)
    return _private(
        render(request, "ack.html", {"alert": found, "done": True, "problem": ""}, title=found.title)
    )


def _page(request: Request, at: Services, code: str, problem: str = "") -> Response:
    """What it is about, and the form; or why there is none."""
    try:
        with at.transaction() as session:
            alert_id = service.acknowledgeable(session, code, system_clock())
            found = views.alert(session, alert_id, at.settings.alerts.runbooks_url)
    except (Expired, NotFound) as gone:
        status = 410 if isinstance(gone, Expired) else 404
        shown = {"alert": None, "done": False, "problem": str(gone)}
        return _private(render(request, "ack.html", shown, title="Alert", status=status))
    shown = {"alert": found, "done": False, "problem": problem}
    status = 422 if problem else 200
    return _private(render(request, "ack.html", shown, title=found.title, status=status))


def _private(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
