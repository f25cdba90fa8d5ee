"""Pages without a session: login, and the outbox of messages that never left the machine."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.core.errors import NotFound
from api.core.founders import sessions
from api.http import destinations
from api.http.deps import At
from api.http.pages.rendering import outbox_is_public, render
from api.providers.messaging.outbox import Outbox

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(
    request: Request, at: At, next: Annotated[str, Query()] = destinations.HOME, again: bool = False
) -> Response:
    """`again`: whoever is signed in is to type a code once more."""
    cookie = at.cookies.session(request)
    if cookie and not again:
        with at.transaction() as session:
            if sessions.current(session, at.session_signer, cookie, at.clock()):
                return RedirectResponse(destinations.safe(next), 303)
    shown = {"problem": None, "next": next, "typed": {}, "again": again}
    return render(request, "login.html", shown, title="Log in")


@router.get("/outbox")
def outbox(request: Request, at: At) -> Response:
    """Raises `NotFound` where messages go to real people."""
    if not outbox_is_public(request):
        raise NotFound("There is nothing here.")
    messages = cast("Outbox", at.messenger).messages()
    return render(request, "outbox.html", {"messages": messages}, title="Outbox")
