"""Secrets on the Ops pages: every one by name and version, its age, and what is being rotated. No value.

For the homepage's owner. The button rotates a platform secret by the same function as flow and command line;
a partner's is made here too, and waits for its owner on the Integrate page.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.founders import service as founders
from api.core.founders.service import FounderView
from api.core.rotation import service
from api.core.rotation.cadence import POLICIES
from api.core.rotation.steps import Mode
from api.http.deps import At, HomepageOwner
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app/ops/secrets", include_in_schema=False)
_PATH = "/app/ops/secrets"
_SHOWN = 20
Id = Annotated[str, Form(max_length=100)]


@router.get("")
def page(request: Request, at: At, who: HomepageOwner) -> Response:
    return _page(request, at, who)


@router.post("/rotate")
def rotate(request: Request, at: At, who: HomepageOwner, name: Id) -> Response:
    try:
        at.rotations.rotate(name, mode=Mode.SCHEDULED, by=who.id, shown=False, reason="Ops page")
    except FirstUserError as error:
        return _page(request, at, who, 422, str(error))
    return RedirectResponse(_PATH, 303)


@router.post("/{rotation_id}/retire")
def retire(request: Request, at: At, who: HomepageOwner, rotation_id: str) -> Response:
    try:
        at.rotations.end_overlap(rotation_id, who.id)
    except FirstUserError as error:
        return _page(request, at, who, 422, str(error))
    return RedirectResponse(_PATH, 303)


@router.post("/{rotation_id}/rollback")
def roll_back(request: Request, at: At, who: HomepageOwner, rotation_id: str) -> Response:
    try:
        at.rotations.machine.roll_back(rotation_id, who.id)
    except FirstUserError as error:
        return _page(request, at, who, 422, str(error))
    return RedirectResponse(_PATH, 303)


def _page(request: Request, at: Services, who: FounderView, status: int = 200, problem: str = "") -> Response:
    now, rows = system_clock(), at.rotations.standing()
    with at.transaction() as session:
        recent = service.recent(session, _SHOWN)
        people = {row.held.made_by for row in rows if row.held.made_by} | {one.asked_by for one in recent}
        names = founders.names(session, sorted(people))
    shown = {
        "rows": rows,
        "recent": recent,
        "names": names,
        "policies": POLICIES,
        "problem": problem,
        "now": now,
        "who": who,
    }
    return render(request, "ops_secrets.html", shown, status=status, title="Secrets")
