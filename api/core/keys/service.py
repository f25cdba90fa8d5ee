"""Mint, recognise and list integration API keys."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.keys import queries, rules, token
from api.core.keys.rules import KeyState

_TOUCH_EVERY = timedelta(minutes=1)
_NOBODY = hashlib.sha256(b"no such key").digest()


@dataclass(frozen=True, slots=True)
class KeyView:
    """`expires_at` is the end of the grace period of a key that was rotated."""

    id: str
    masked: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    expires_at: datetime | None

    def state(self, now: datetime) -> KeyState:
        return rules.state(self.expires_at, self.revoked_at, now)


def mint(session: Session, integration_id: str, now: datetime, actor: str | None = None) -> tuple[str, str]:
    """A new key: its id and its plaintext, which is never to be seen again."""
    fresh = token.generate()
    queries.add(session, fresh.key_id, integration_id, fresh.secret_sha256, now, actor)
    return fresh.key_id, fresh.plaintext


def authenticate(session: Session, plaintext: str, now: datetime) -> str | None:
    """The integration that the key belongs to; None for every kind of bad key.

    A malformed, unknown, revoked or wrong key costs the same comparison."""
    presented = token.parse(plaintext)
    known = queries.active(session, presented.key_id) if presented else None
    digest = presented.secret_sha256 if presented else _NOBODY[::-1]
    if not hmac.compare_digest(known.secret_sha256 if known else _NOBODY, digest) or known is None:
        return None
    if known.last_used_at is None or known.last_used_at < now - _TOUCH_EVERY:
        queries.touch(session, known.id, now, _TOUCH_EVERY)
    return known.integration_id


def of_integration(session: Session, integration_id: str) -> Sequence[KeyView]:
    """Newest first, masked."""
    return [
        KeyView(
            id=key.id,
            masked=token.masked(key.id),
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
            expires_at=key.expires_at,
        )
        for key in queries.of_integration(session, integration_id)
    ]
