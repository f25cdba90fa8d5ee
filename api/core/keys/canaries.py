"""A key for one question: is a call of this integration refused? It is in no list, and ends soon."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core import audit
from api.core.keys import queries, token
from api.core.keys.token import Token

LASTS = timedelta(minutes=1)


def add(session: Session, integration_id: str, now: datetime, actor: str) -> Token:
    """Works at once, for a minute at most. Audited."""
    made = token.generate()
    queries.add(session, made.key_id, integration_id, made.secret_sha256, now, actor, witness=True)
    queries.expire(session, made.key_id, now + LASTS)
    audit.record(session, actor, "keys.canary", integration_id, now, {"key_id": made.key_id})
    return made


def end(session: Session, key_id: str, now: datetime) -> None:
    queries.revoke(session, key_id, now)
