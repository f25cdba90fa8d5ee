"""What a visitor sees of the waiting list: a page of its own, or a frame inside the partner's page.

Whoever knows the address may look, so it holds nothing but a random token, is kept out of logs, caches and
referrers, and shows no personal data. Accepted, the visitor is sent back with a code: by a redirect to the
registered return URL, or by a message of the frame's script to the registered origin and no other.
"""

from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.core.access import rules, starts
from api.core.access.starts import Mode, Visit
from api.core.errors import NotFound
from api.db.engine import Session
from api.http.client_address import client_network
from api.http.deps import At
from api.http.errors import RateLimited
from api.http.middleware import content_policy
from api.http.pages.rendering import render
from api.http.services import Services


def not_too_often(request: Request, at: At) -> None:
    """Raises `RateLimited`: whoever guesses tokens, or has a thousand visitors at one address, waits."""
    wait = at.limits.visited(client_network(request))
    if wait:
        raise RateLimited(wait)


router = APIRouter(prefix="/w", include_in_schema=False, dependencies=[Depends(not_too_often)])


@router.get("/{token}")
def page(request: Request, at: At, token: str) -> Response:
    """Where one stands; accepted: on to the return URL with a fresh code."""
    with at.transaction() as session:
        visit = _visit(session, at, token, "redirect")
        if visit is None or not visit.open:
            return _gone(request, visit)
        if visit.entry.status == "accepted":
            return _back(visit, starts.code(session, visit, at.clock()))
        shown = _shown(session, visit, f"/w/{token}/state")
    return _private(render(request, "visit.html", shown, title=visit.space_name))


@router.get("/{token}/state")
def state(request: Request, at: At, token: str) -> Response:
    """The part that refreshes itself; accepted: the whole page goes on."""
    with at.transaction() as session:
        visit = _visit(session, at, token, "redirect")
        if visit is None or not visit.open or visit.entry.status == "accepted":
            return _private(Response(status_code=204, headers={"HX-Redirect": f"/w/{quote(token, safe='')}"}))
        shown = _shown(session, visit, f"/w/{token}/state")
    return _private(render(request, "visit_state.html", shown))


@router.get("/embed/{token}")
def frame(request: Request, at: At, token: str) -> Response:
    """The one page of ours that the registered origin, and nobody else, may frame."""
    with at.transaction() as session:
        visit = _visit(session, at, token, "embedded")
        if visit is None or not visit.registered:
            return _gone(request, visit)
        shown = _shown(session, visit, f"/w/embed/{token}/state")
    framed = _private(render(request, "visit_frame.html", shown, title=visit.space_name))
    origin = visit.start.embed_origin or "'none'"
    framed.headers["Content-Security-Policy"] = content_policy(frame_ancestors=origin)
    return framed


@router.get("/embed/{token}/state")
def frame_state(request: Request, at: At, token: str) -> Response:
    with at.transaction() as session:
        visit = _visit(session, at, token, "embedded")
        if visit is None or not visit.open:
            return _private(render(request, "visit_over.html", {"visit": visit}))
        shown = _shown(session, visit, f"/w/embed/{token}/state")
    return _private(render(request, "visit_state.html", shown))


@router.post("/embed/{token}/code")
def frame_code(at: At, token: str) -> Response:
    """`{code, state}` for the frame's script. Raises `NotFound`, and `Conflict` for who isn't accepted."""
    with at.transaction() as session:
        visit = _visit(session, at, token, "embedded")
        if visit is None:
            raise NotFound("There is nothing here.")
        code = starts.code(session, visit, at.clock())
    return _private(JSONResponse({"code": code, "state": visit.start.state}))


def _visit(session: Session, at: Services, token: str, mode: Mode) -> Visit | None:
    """None, too, while the integration is switched off."""
    found = starts.visit(session, token, mode, at.clock())
    return found if found and at.flags.integration_enabled(found.integration.id) else None


def _shown(session: Session, visit: Visit, state_path: str) -> dict[str, Any]:
    return {
        "visit": visit,
        "position": starts.position(session, visit),
        "state_path": state_path,
        "places_per_referral": rules.RANKS_PER_REFERRAL,
    }


def _back(visit: Visit, code: str) -> Response:
    query = urlencode({"code": code, "state": visit.start.state or ""})
    url = visit.start.return_url or ""
    return _private(RedirectResponse(f"{url}{'&' if '?' in url else '?'}{query}", 302))


def _gone(request: Request, visit: Visit | None) -> Response:
    """410 for what was open once, 404 for what never was."""
    status = 410 if visit else 404
    return _private(render(request, "visit_gone.html", {"visit": visit}, title="Waiting list", status=status))


def _private(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
