"""SQL of the waiting list: who is on it, in which place, and what is decided."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, literal, select, text, tuple_, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.access.models import Entry, Integration, WaitlistBlock, WaitlistCounter

# The blocks before are summed; within its block a place is counted from the index.
_POSITION = text("""
select 1
    + coalesce((
        select sum(people) from waitlist_blocks as before
        where before.space_id = entry.space_id and before.status = 'waiting'
          and before.block < entry.rank >> 12), 0)::bigint
    + (
        select count(*) from entries as ahead
        where ahead.space_id = entry.space_id and ahead.status = 'waiting'
          and ahead.rank >= (entry.rank >> 12) << 12 and (ahead.rank, ahead.seq) < (entry.rank, entry.seq))
from entries as entry where entry.id = :id and entry.status = 'waiting'
""")

# The same for many: the blocks are summed once for all.


_POSITIONS = text("""
with asked as (
    select id, space_id, rank, seq, rank >> 12 as block from entries
    where id = any(:ids) and status = 'waiting'),
blocks as (
    select space_id, block, sum(people) over (partition by space_id order by block) - people as before
    from waitlist_blocks
    where space_id in (select space_id from asked) and status = 'waiting'
      and block <= (select max(block) from asked))
select asked.id, 1 + blocks.before::bigint + within.number as position
from asked join blocks using (space_id, block)
cross join lateral (
    select count(*) as number from entries ahead
    where ahead.space_id = asked.space_id and ahead.status = 'waiting'
      and ahead.rank >= asked.block << 12 and (ahead.rank, ahead.seq) < (asked.rank, asked.seq)) as within
""")


def entry_counts(session: Session, space_id: str) -> dict[str, int]:
    rows = session.execute(
        select(WaitlistBlock.status, func.sum(WaitlistBlock.people))
        .where(WaitlistBlock.space_id == space_id)
        .group_by(WaitlistBlock.status)
    )
    return {row[0]: int(row[1]) for row in rows}


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


def user_of_email(
    session: Session, integration_id: str, indexes: Sequence[bytes], beginning: str
) -> str | None:
    return session.scalar(
        select(Entry.external_user_id)
        .where(
            Entry.email_index.in_(indexes),
            Entry.integration_id == integration_id,
            Entry.external_user_id.startswith(beginning, autoescape=True),
        )
        .order_by(Entry.seq)
        .limit(1)
    )


def entry(session: Session, entry_id: str) -> Entry | None:
    return session.get(Entry, entry_id, populate_existing=True)


def by_referral_code(session: Session, space_id: str, code: str) -> Entry | None:
    return session.scalar(select(Entry).where(Entry.referral_code == code, Entry.space_id == space_id))


def move_up(session: Session, entry_id: str, ranks: int, most: int) -> None:
    """One more has joined by this entry's code; `ranks` up for each of the first `most`."""
    climbed = func.least(Entry.referrals + 1, most) - func.least(Entry.referrals, most)
    session.execute(
        update(Entry)
        .where(Entry.id == entry_id)
        .values(referrals=Entry.referrals + 1, rank=Entry.rank - ranks * climbed)
    )


def position(session: Session, entry_id: str) -> int | None:
    """The place in line, from 1, of one that waits."""
    return session.execute(_POSITION, {"id": entry_id}).scalar()


def positions(session: Session, entry_ids: Sequence[str]) -> Mapping[str, int]:
    """The places in line, from 1, of those that wait."""
    return {row[0]: row[1] for row in session.execute(_POSITIONS, {"ids": list(entry_ids)})}


def entries_in_line(
    session: Session, space_id: str, status: str, after: tuple[int, int] | None, limit: int
) -> Sequence[Entry]:
    """In the order of the line, behind the entry with this (rank, seq)."""
    query = select(Entry).where(Entry.space_id == space_id, Entry.status == status)
    if after:
        query = query.where(tuple_(Entry.rank, Entry.seq) > tuple_(*map(literal, after)))
    return session.scalars(query.order_by(Entry.rank, Entry.seq).limit(limit)).all()


def entries_by_age(
    session: Session, space_id: str, after: tuple[datetime, int] | None, limit: int
) -> Sequence[Entry]:
    """Newest first, older than the entry with this (created_at, seq)."""
    query = select(Entry).where(Entry.space_id == space_id)
    if after:
        query = query.where(tuple_(Entry.created_at, Entry.seq) < tuple_(*map(literal, after)))
    return session.scalars(query.order_by(Entry.created_at.desc(), Entry.seq.desc()).limit(limit)).all()


def entries_like(
    session: Session, space_id: str, external_user_id: str, indexes: Sequence[bytes], limit: int
) -> Sequence[Entry]:
    """Newest first: those whose user, e-mail or phone it is exactly. One index for each of the three."""
    integrations = select(Integration.id).where(Integration.space_id == space_id)
    found = union_all(
        select(Entry.id).where(
            Entry.integration_id.in_(integrations), Entry.external_user_id == external_user_id
        ),
        select(Entry.id).where(Entry.email_index.in_(indexes)),
        select(Entry.id).where(Entry.phone_index.in_(indexes)),
    )
    query = select(Entry).where(Entry.id.in_(found), Entry.space_id == space_id)
    return session.scalars(query.order_by(Entry.seq.desc()).limit(limit)).all()


def waiting(session: Session, space_id: str) -> int:
    return entry_counts(session, space_id).get("waiting", 0)


def oldest_waiting(session: Session, of: Integration, limit: int) -> Sequence[Entry]:
    """Claimed for this transaction; rows another one is deciding on are skipped."""
    return session.scalars(
        select(Entry)
        .where(Entry.space_id == of.space_id, Entry.status == "waiting", Entry.integration_id == of.id)
        .order_by(Entry.rank, Entry.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def next_in_line(session: Session, space_id: str, limit: int) -> Sequence[str]:
    """Ids, claimed for this transaction; rows another one is deciding on are skipped."""
    return session.scalars(
        select(Entry.id)
        .where(Entry.space_id == space_id, Entry.status == "waiting")
        .order_by(Entry.rank, Entry.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def hold(session: Session, space_id: str, entry_ids: Collection[str]) -> Mapping[str, str]:
    """Status by id of those that the space has, locked in one order so that two callers cannot deadlock."""
    rows = session.execute(
        select(Entry.id, Entry.status)
        .where(Entry.space_id == space_id, Entry.id.in_(entry_ids))
        .order_by(Entry.id)
        .with_for_update()
    )
    return {row[0]: row[1] for row in rows}


def decide(session: Session, entry_ids: Collection[str], status: str, now: datetime) -> Collection[str]:
    """The ids that were waiting and are decided on now."""
    return session.scalars(
        update(Entry)
        .where(Entry.id.in_(entry_ids), Entry.status == "waiting")
        .values(status=status, decided_at=now)
        .returning(Entry.id)
        .execution_options(synchronize_session=False)
    ).all()


def status_of(session: Session, entry_id: str) -> str | None:
    return session.scalar(select(Entry.status).where(Entry.id == entry_id))


def entries(session: Session, entry_ids: Collection[str]) -> Sequence[Entry]:
    return session.scalars(select(Entry).where(Entry.id.in_(entry_ids))).all()
