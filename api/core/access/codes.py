"""Access codes: what an accepted visitor carries to the partner, who exchanges it for a grant.

256 random bits, kept only as SHA-256, good for five minutes, bound to the integration, the return URL and the
PKCE challenge (RFC 7636, S256) of the start that led to it.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.access import start_queries

LIFETIME = timedelta(minutes=5)
KEPT = timedelta(days=1)
"""How long a code is remembered after its end: that a used one comes again must be noticed."""


def issue(
    session: Session,
    entry_id: str,
    integration_id: str,
    now: datetime,
    *,
    start_id: str | None = None,
    return_url: str | None = None,
    code_challenge: str | None = None,
) -> str:
    """A fresh code for an accepted entry, never to be seen again here."""
    code = secrets.token_urlsafe(32)
    start_queries.add_code(
        session,
        {
            "code_sha256": digest(code),
            "start_id": start_id,
            "entry_id": entry_id,
            "integration_id": integration_id,
            "return_url": return_url,
            "code_challenge": code_challenge,
            "created_at": now,
            "expires_at": now + LIFETIME,
        },
    )
    return code


def digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def forget(session: Session, now: datetime) -> int:
    """Removes codes that ended long ago; returns how many."""
    return start_queries.forget_codes(session, now - KEPT)
