"""SQL of integration API keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from api.core.keys.models import ApiKey


def add(session: Session, key_id: str, integration_id: str, secret_sha256: bytes, now: datetime) -> None:
    session.execute(
        insert(ApiKey).values(
            id=key_id, integration_id=integration_id, secret_sha256=secret_sha256, created_at=now
        )
    )


def active(session: Session, key_id: str) -> ApiKey | None:
    return session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)))


def of_integration(session: Session, integration_id: str) -> Sequence[ApiKey]:
    """Newest first."""
    return session.scalars(
        select(ApiKey).where(ApiKey.integration_id == integration_id).order_by(ApiKey.created_at.desc())
    ).all()


def touch(session: Session, key_id: str, now: datetime, every: timedelta) -> None:
    """Remember the use, at most once per `every`: a busy key must not rewrite its row on each call."""
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < now - every)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))
