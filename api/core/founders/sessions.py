"""Founders' sessions: a signed random id in the cookie, its hash and its fate in the database."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.crypto import Signer
from api.core.errors import NotFound
from api.core.founders import queries
from api.core.founders.models import FounderSession
from api.core.ids import new_id

IDLE = timedelta(days=7)
ABSOLUTE = timedelta(days=30)
PROOF_LASTS = timedelta(minutes=10)
_TOUCH_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """`proven_at`: when its person last typed a code."""

    id: str
    founder_id: str
    proven_at: datetime


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session that is alive, as its founder recognises it; `browser` in words."""

    id: str
    browser: str
    created_at: datetime
    last_seen_at: datetime
    proven_at: datetime
    expires_at: datetime


def open_session(session: Session, signer: Signer, founder_id: str, browser: str, now: datetime) -> str:
    """A new session's cookie value. `browser`: what its founder will recognise it by."""
    random_id = secrets.token_urlsafe(32)
    queries.add_session(
        session,
        {
            "id_hash": _hash(random_id),
            "id": new_id("ses"),
            "browser": browser,
            "proven_at": now,
            "founder_id": founder_id,
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + ABSOLUTE,
        },
    )
    return f"{random_id}.{base64.urlsafe_b64encode(signer.sign(random_id)).decode().rstrip('=')}"


def current(session: Session, signer: Signer, cookie: str, now: datetime) -> OpenSession | None:
    """The cookie's session; None when it is forged, revoked, idle for too long or too old."""
    id_hash = _verified(signer, cookie)
    found = queries.session_by_hash(session, id_hash) if id_hash else None
    if found is None or not is_alive(found, now):
        return None
    if now - found.last_seen_at > _TOUCH_EVERY:
        queries.touch_session(session, found.id_hash, now)
    return OpenSession(found.id, found.founder_id, found.proven_at)


def recently_proven(opened: OpenSession, now: datetime) -> bool:
    """Whether it was the person who typed a code just now, and not whoever found the browser open."""
    return now - opened.proven_at <= PROOF_LASTS


def close_session(session: Session, signer: Signer, cookie: str, now: datetime) -> None:
    """Idempotent; a forged cookie closes nothing."""
    id_hash = _verified(signer, cookie)
    if id_hash:
        queries.revoke_session(session, id_hash, now)


def close_unsigned(session: Session, random_id: str, now: datetime) -> None:
    """By the cookie's id alone: what was signed with a secret that is gone. Idempotent."""
    queries.revoke_session(session, _hash(random_id), now)


def of_founder(session: Session, founder_id: str, now: datetime) -> list[SessionView]:
    """Those that are alive, the one used last first."""
    return [
        SessionView(one.id, one.browser, one.created_at, one.last_seen_at, one.proven_at, ends_at(one))
        for one in queries.sessions_of(session, founder_id)
        if is_alive(one, now)
    ]


def end(session: Session, founder_id: str, session_id: str, now: datetime) -> None:
    """End one of the founder's own sessions. Idempotent. Raises `NotFound`."""
    found = queries.session_by_id(session, founder_id, session_id)
    if found is None:
        raise NotFound(f"There is no session {session_id}.")
    queries.revoke_session(session, found.id_hash, now)


def end_all(session: Session, founder_id: str, now: datetime) -> int:
    """End every session of the founder; how many there were."""
    return queries.revoke_sessions_of(session, founder_id, now)


def ends_at(found: FounderSession) -> datetime:
    """When it ends by itself unless it is used before."""
    return min(found.expires_at, found.last_seen_at + IDLE)


def is_alive(found: FounderSession, now: datetime) -> bool:
    return found.revoked_at is None and now < ends_at(found)


def _verified(signer: Signer, cookie: str) -> bytes | None:
    random_id, _, encoded = cookie.partition(".")
    try:
        signature = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return _hash(random_id) if signer.verify(random_id, signature) else None
    except (binascii.Error, ValueError):
        return None


def _hash(random_id: str) -> bytes:
    return hashlib.sha256(random_id.encode()).digest()
