"""SQL of integration API keys."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from api.core.keys.models import ApiKey


def add(
    session: Session,
    key_id: str,
    integration_id: str,
    secret_sha256: bytes,
    now: datetime,
    created_by: str | None = None,
    *,
    witness: bool = False,
) -> None:
    session.execute(
        insert(ApiKey).values(
            id=key_id,
            integration_id=integration_id,
            secret_sha256=secret_sha256,
            created_at=now,
            created_by=created_by,
            witness=witness,
        )
    )


def active(session: Session, key_id: str) -> ApiKey | None:
    return session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)))


def of_integration(session: Session, integration_id: str) -> Sequence[ApiKey]:
    """Newest first, without witnesses."""
    return session.scalars(
        select(ApiKey)
        .where(ApiKey.integration_id == integration_id, ~ApiKey.witness)
        .order_by(ApiKey.created_at.desc(), ApiKey.id)
    ).all()


def touch(session: Session, key_id: str, now: datetime, every: timedelta) -> None:
    """Remember the use, at most once per `every`: a busy key must not rewrite its row on each call."""
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < now - every)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))


def hold(session: Session, integration_id: str) -> Sequence[ApiKey]:
    """The integration's keys, locked: of two rotations at once, the second sees what the first has done."""
    return session.scalars(
        select(ApiKey)
        .where(ApiKey.integration_id == integration_id, ~ApiKey.witness)
        .order_by(ApiKey.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def end_by(session: Session, integration_id: str, moment: datetime, keep: str = "") -> None:
    """No key that is there now but `keep` works after `moment`; an end that was set earlier stays."""
    session.execute(
        update(ApiKey)
        .where(ApiKey.integration_id == integration_id, ApiKey.revoked_at.is_(None), ApiKey.id != keep)
        .values(expires_at=func.least(func.coalesce(ApiKey.expires_at, moment), moment))
    )


def expire(session: Session, key_id: str, moment: datetime) -> None:
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=moment))


def revoke(session: Session, key_id: str, now: datetime) -> None:
    session.execute(
        update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
    )


def revoke_working(session: Session, integration_id: str, keep: str, now: datetime) -> Sequence[str]:
    """Every key but `keep` that would work after `now`; their ids."""
    endless = ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now)
    return session.scalars(
        update(ApiKey)
        .where(
            ApiKey.integration_id == integration_id, ApiKey.id != keep, ApiKey.revoked_at.is_(None), endless
        )
        .values(revoked_at=now)
        .returning(ApiKey.id)
    ).all()


def endless(session: Session, key_id: str) -> None:
    session.execute(
        update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(expires_at=None)
    )


def current(session: Session, integration_id: str | None, besides: Collection[str]) -> Sequence[ApiKey]:
    """The newest working key without an end of each integration, of those that are not `besides`."""
    asked = (
        select(ApiKey)
        .distinct(ApiKey.integration_id)
        .where(~ApiKey.witness, ApiKey.revoked_at.is_(None), ApiKey.expires_at.is_(None))
        .where(ApiKey.id.not_in(besides))
        .order_by(ApiKey.integration_id, ApiKey.created_at.desc(), ApiKey.id)
    )
    return session.scalars(
        asked.where(ApiKey.integration_id == integration_id) if integration_id else asked
    ).all()


def last_uses(session: Session, integration_id: str, key_id: str) -> tuple[datetime | None, datetime | None]:
    own = func.max(ApiKey.last_used_at).filter(ApiKey.id == key_id)
    others = func.max(ApiKey.last_used_at).filter(ApiKey.id != key_id, ~ApiKey.witness)
    row = session.execute(select(own, others).where(ApiKey.integration_id == integration_id)).one()
    return row[0], row[1]
