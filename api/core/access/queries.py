"""SQL of spaces, integrations, entries and grants."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.access.models import Entry, Grant, Integration, Space, WaitlistCounter


def spaces_of(session: Session, owner_id: str) -> Sequence[Space]:
    return session.scalars(select(Space).where(Space.owner_id == owner_id).order_by(Space.created_at)).all()


def space_by_slug(session: Session, slug: str) -> Space | None:
    return session.scalar(select(Space).where(Space.slug == slug))


def integrations_of(session: Session, space_id: str) -> Sequence[Integration]:
    return session.scalars(
        select(Integration)
        .where(Integration.space_id == space_id)
        .order_by(Integration.created_at, Integration.id)
    ).all()


def integration(session: Session, integration_id: str) -> Integration | None:
    return session.get(Integration, integration_id)


def add_integration(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(Integration).values(**values))


def change_integration(session: Session, integration_id: str, values: dict[str, object]) -> None:
    session.execute(update(Integration).where(Integration.id == integration_id).values(**values))


def owner_of(session: Session, space_id: str) -> str | None:
    return session.scalar(select(Space.owner_id).where(Space.id == space_id))


def entry_counts(session: Session, space_id: str) -> dict[str, int]:
    rows = session.execute(
        select(Entry.status, func.count()).where(Entry.space_id == space_id).group_by(Entry.status)
    )
    return {row[0]: row[1] for row in rows}


def grant_counts(session: Session, integration_ids: Sequence[str]) -> tuple[int, int]:
    """(total, active)"""
    active = func.count().filter(Grant.revoked_at.is_(None))
    row = session.execute(
        select(func.count(), active).select_from(Grant).where(Grant.integration_id.in_(integration_ids))
    ).one()
    return row[0], row[1]


def entry_count_of_integration(session: Session, integration_id: str) -> int:
    query = select(func.count()).select_from(Entry).where(Entry.integration_id == integration_id)
    return session.scalar(query) or 0


def newest_entries(session: Session, space_id: str, limit: int) -> Sequence[Entry]:
    return session.scalars(
        select(Entry).where(Entry.space_id == space_id).order_by(Entry.created_at.desc()).limit(limit)
    ).all()


def joined_per_day(session: Session, space_id: str, since: datetime) -> Sequence[tuple[datetime, int]]:
    """(day in UTC, entries), days without any left out."""
    day = func.date_trunc("day", Entry.created_at, "UTC")
    rows = session.execute(
        select(day, func.count())
        .where(Entry.space_id == space_id, Entry.created_at >= since)
        .group_by(day)
        .order_by(day)
    )
    return [(when, count) for when, count in rows]


def note_first_call(session: Session, integration_id: str, now: datetime) -> None:
    session.execute(
        update(Integration)
        .where(Integration.id == integration_id, Integration.first_call_at.is_(None))
        .values(first_call_at=now)
    )


def next_ordinal(session: Session, space_id: str) -> int:
    """The number of the next one to join. Holds the space's counter for this transaction."""
    counted = upsert(WaitlistCounter).values(space_id=space_id, joined=1)
    return session.execute(
        counted.on_conflict_do_update(
            index_elements=[WaitlistCounter.space_id], set_={"joined": WaitlistCounter.joined + 1}
        ).returning(WaitlistCounter.joined)
    ).scalar_one()


def add_entry(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(Entry).values(**values))


def entry_of_user(session: Session, integration_id: str, external_user_id: str) -> Entry | None:
    return session.scalar(
        select(Entry).where(
            Entry.integration_id == integration_id, Entry.external_user_id == external_user_id
        )
    )


def oldest_waiting(session: Session, of: Integration, limit: int) -> Sequence[Entry]:
    """Claimed for this transaction; rows another one is deciding on are skipped."""
    return session.scalars(
        select(Entry)
        .where(Entry.space_id == of.space_id, Entry.status == "waiting", Entry.integration_id == of.id)
        .order_by(Entry.rank, Entry.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def decide(session: Session, entry_id: str, status: str, now: datetime) -> bool:
    """False when the entry is not waiting any more."""
    decided = session.execute(
        update(Entry)
        .where(Entry.id == entry_id, Entry.status == "waiting")
        .values(status=status, decided_at=now)
        .returning(Entry.id)
    )
    return decided.first() is not None


def add_grant(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(Grant).values(**values))


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
        select(Grant, Entry).join(Entry, Entry.id == Grant.entry_id).where(Grant.id == grant_id)
    ).first()
    return (row[0], row[1]) if row else None


def standing_grants(session: Session, grant_ids: Collection[str]) -> frozenset[str]:
    return frozenset(
        session.scalars(select(Grant.id).where(Grant.id.in_(grant_ids), Grant.revoked_at.is_(None)))
    )
