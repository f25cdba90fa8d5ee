"""SQL of grants: who has access, and who had."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from api.core.access.models import Entry, Grant, Integration


def grant_counts(session: Session, integration_ids: Sequence[str]) -> tuple[int, int]:
    """(total, active)"""
    active = func.count().filter(Grant.revoked_at.is_(None))
    row = session.execute(
        select(func.count(), active).select_from(Grant).where(Grant.integration_id.in_(integration_ids))
    ).one()
    return row[0], row[1]


def revoke_grant(session: Session, grant_id: str, now: datetime) -> bool:
    """False when it has ended before."""
    revoked = session.scalars(
        update(Grant)
        .where(Grant.id == grant_id, Grant.revoked_at.is_(None))
        .values(revoked_at=func.greatest(now, Grant.created_at))
        .returning(Grant.id)
        .execution_options(synchronize_session=False)
    )
    return revoked.first() is not None


def users_of_space(session: Session, space_id: str) -> Sequence[str]:
    return session.scalars(select(Entry.user_id).where(Entry.space_id == space_id)).all()


def users_with_grant(session: Session, integration_id: str, limit: int) -> Sequence[str]:
    return session.scalars(
        select(Grant.external_user_id)
        .where(Grant.integration_id == integration_id, Grant.revoked_at.is_(None))
        .limit(limit)
    ).all()


def active_grant_of_user(
    session: Session, integration_id: str, external_user_id: str
) -> tuple[Grant, Entry] | None:
    row = session.execute(
        select(Grant, Entry)
        .join(Entry, Entry.id == Grant.entry_id)
        .where(
            Grant.integration_id == integration_id,
            Grant.external_user_id == external_user_id,
            Grant.revoked_at.is_(None),
        )
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else None


def grant_with_entry(session: Session, grant_id: str) -> tuple[Grant, Entry] | None:
    row = session.execute(
        select(Grant, Entry)
        .join(Entry, Entry.id == Grant.entry_id)
        .where(Grant.id == grant_id)
        .execution_options(populate_existing=True)
    ).first()
    return (row[0], row[1]) if row else None


def grant_with_origin(session: Session) -> tuple[Grant, Entry, str] | None:
    row = session.execute(
        select(Grant, Entry, Integration.origins)
        .join(Entry, Entry.id == Grant.entry_id)
        .join(Integration, Integration.id == Grant.integration_id)
        .where(Grant.revoked_at.is_(None), func.cardinality(Integration.origins) > 0)
        .limit(1)
    ).first()
    return (row[0], row[1], row[2][0]) if row else None


def standing_grants(session: Session, grant_ids: Collection[str]) -> frozenset[str]:
    return frozenset(
        session.scalars(select(Grant.id).where(Grant.id.in_(grant_ids), Grant.revoked_at.is_(None)))
    )
