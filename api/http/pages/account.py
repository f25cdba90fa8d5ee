"""The founder's own page: where they are logged in, and how to end that."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.core.founders import sessions
from api.http import founder_sessions
from api.http.deps import At, CurrentSession, SignedIn
from api.http.pages.rendering import render

router = APIRouter(prefix="/app/account", include_in_schema=False)


@router.get("")
def page(request: Request, at: At, who: SignedIn, here: CurrentSession) -> Response:
    with at.transaction() as session:
        found = sessions.of_founder(session, who.id, at.clock())
    shown = {"who": who, "sessions": found, "here": here, "now": at.clock()}
    return render(request, "account.html", shown, title="Your account")


@router.post("/sessions/{session_id}/end")
def end(at: At, here: CurrentSession, session_id: str) -> Response:
    founder_sessions.end(at, here.founder_id, session_id)
    return RedirectResponse("/app/account", 303)


@router.post("/sessions/end-all")
def end_all(at: At, here: CurrentSession) -> Response:
    founder_sessions.end_all(at, here.founder_id)
    response = RedirectResponse("/login", 303)
    at.cookies.clear_session(response)
    return response
