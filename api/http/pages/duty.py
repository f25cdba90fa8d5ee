"""Owners: assigned on the Ops page by the homepage's owner, confirmed by the link that they were sent.

Looking at the link changes nothing: link previews look, too."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.clock import system_clock
from api.core.errors import Expired, NotFound
from api.core.founders import identifiers
from api.core.preflight import owner_calls, owners
from api.core.preflight.owners import Assignment
from api.core.preflight.records import Role
from api.core.preflight.roles import Owner
from api.http.deps import At, HomepageOwner
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(include_in_schema=False)
_BACK = "/app/ops#owners"
_LINE = r"^[^\x00-\x1f\x7f]*$"
Line = Annotated[str, Form(max_length=320, pattern=_LINE)]


@router.post("/app/ops/owners")
def assign(
    at: At,
    who: HomepageOwner,
    role: Annotated[Role, Form()],
    name: Line,
    address: Line,
    myself: Annotated[bool, Form()] = False,
    same_reason: Line = "",
) -> Response:
    """`myself`: whoever is signed in, which is how a release owner signs off here. Raises `Refused`."""
    found = identifiers.parse(address)
    channel = "email" if found.kind == "email" else "sms"
    person = who.name if myself else name
    founder_id = who.id if myself else ""
    asked = Assignment(role, person, channel, found.value, founder_id, same_reason)
    with at.transaction() as session:
        owners.assign(session, at.vault, asked, who.id, system_clock())
    _call(at, role, who.id)
    return RedirectResponse(_BACK, 303)


@router.post("/app/ops/owners/{role}/call")
def call(at: At, who: HomepageOwner, role: Role) -> Response:
    """Another link; the one before works no more."""
    _call(at, role, who.id)
    return RedirectResponse(_BACK, 303)


@router.post("/app/ops/owners/{role}/drop")
def drop(at: At, who: HomepageOwner, role: Role) -> Response:
    with at.transaction() as session:
        owners.drop(session, role, who.id, system_clock())
    return RedirectResponse(_BACK, 303)


@router.get("/duty/{code}")
def page(request: Request, at: At, code: str) -> Response:
    try:
        with at.transaction() as session:
            owner = owners.asked_by(session, code, system_clock())
    except (Expired, NotFound) as gone:
        return _shown(request, None, str(gone), 410 if isinstance(gone, Expired) else 404)
    return _shown(request, owner)


@router.post("/duty/{code}")
def confirm(request: Request, at: At, code: str) -> Response:
    try:
        with at.transaction() as session:
            owner = owners.confirm(session, code, system_clock())
    except (Expired, NotFound) as gone:
        return _shown(request, None, str(gone), 410)
    return _shown(request, owner, done=True)


def _call(at: Services, role: Role, by: str) -> None:
    """The code is stored before it is sent: a message that does not arrive is sent again by the button."""
    with at.transaction() as session:
        asked = owners.call(session, at.vault, role, by, system_clock())
    at.messenger.send(owner_calls.message(asked, at.settings.platform.public_app_url))


def _shown(
    request: Request, owner: Owner | None, problem: str = "", status: int = 200, *, done: bool = False
) -> Response:
    """The code in the address stays out of referrers and caches."""
    shown = {"owner": owner, "done": done, "problem": problem}
    response = render(request, "duty.html", shown, title="Owner", status=status)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
