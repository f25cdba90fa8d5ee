"""The founders' API of their own sessions: where they are logged in, and how that ends."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.core import audit
from api.core.founders import sessions
from api.http.deps import At, CurrentSession
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

_CODES = tuple(code for code in FOUNDER_CODES if code not in {"not_found", "validation_failed"})
_ENDING = (*_CODES, "foreign_origin")
_ENDING_ONE = (*_ENDING, "not_found", "validation_failed")

router = APIRouter(prefix="/api/founder/v1/sessions", tags=["founder"])


class SessionOut(BaseModel):
    """`current`: the session that asks. `expires_at` moves with each use, up to 30 days after the login."""

    id: str
    object: Literal["session"] = "session"
    browser: str
    created_at: Moment
    last_seen_at: Moment
    proven_at: Moment
    expires_at: Moment
    current: bool


class SessionsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[SessionOut]
    has_more: Literal[False] = False
    next_cursor: None = None


@router.get("", responses=documented(*_CODES))
def list_sessions(at: At, here: CurrentSession) -> SessionsOut:
    """All that are alive, the one used last first."""
    with at.transaction() as session:
        found = sessions.of_founder(session, here.founder_id, at.clock())
    return SessionsOut(
        data=[
            SessionOut(
                id=one.id,
                browser=one.browser,
                created_at=one.created_at,
                last_seen_at=one.last_seen_at,
                proven_at=one.proven_at,
                expires_at=one.expires_at,
                current=one.id == here.id,
            )
            for one in found
        ]
    )


@router.delete("/{session_id}", status_code=204, responses=documented(*_ENDING_ONE))
def end_session(at: At, here: CurrentSession, session_id: str) -> Response:
    """Log one browser out, this one included. Idempotent."""
    end(at, here.founder_id, session_id)
    return Response(status_code=204)


@router.delete("", status_code=204, responses=documented(*_ENDING))
def end_all_sessions(at: At, here: CurrentSession) -> Response:
    """Log out everywhere, here included."""
    end_all(at, here.founder_id)
    return Response(status_code=204)


def end(at: Services, founder_id: str, session_id: str) -> None:
    """Raises `NotFound` for an unknown session and for another's."""
    now = at.clock()
    with at.transaction() as session:
        sessions.end(session, founder_id, session_id, now)
        audit.record(session, founder_id, "sessions.end", session_id, now)


def end_all(at: Services, founder_id: str) -> None:
    now = at.clock()
    with at.transaction() as session:
        ended = sessions.end_all(session, founder_id, now)
        audit.record(session, founder_id, "sessions.end_all", founder_id, now, {"ended": ended})
