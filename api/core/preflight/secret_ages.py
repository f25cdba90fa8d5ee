"""How old the secrets in use are. A secret on its way out counts by what has taken its place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.preflight import queries
from api.core.preflight.judging.secrets import Age


def last_incident(session: Session) -> datetime | None:
    """When the newest one tripped: platform secrets have to be newer (runbook section 5)."""
    return queries.last_incident(session)


def api_keys(session: Session, now: datetime) -> Sequence[Age]:
    """By integration; synthetic ones left out."""
    return [Age(name, made) for name, made in queries.newest_secrets(session, "api_keys", now)]


def webhook_secrets(session: Session, now: datetime) -> Sequence[Age]:
    return [Age(name, made) for name, made in queries.newest_secrets(session, "webhook_secrets", now)]
