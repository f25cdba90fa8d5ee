"""SQL of what is observed: minutes of exchanges, API processes, probes of readiness."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

# A counter that is smaller than it was began anew: what it shows now comes on top of what was counted.
_RECORD = text("""
with given as (
    select * from unnest(
        cast(:minute as timestamptz[]), cast(:integration_id as text[]),
        cast(:failed as bigint[]), cast(:attempted as bigint[])
    ) as g(minute, integration_id, failed, attempted)
), quarantined as (
    insert into exchange_quarantine as q (minute, integration_id, instance, failed, attempted, received_at)
    select minute, integration_id, :instance, failed, attempted, :now from given where minute > :now
    on conflict (minute, integration_id, instance) do update
        set failed = excluded.failed, attempted = excluded.attempted, received_at = excluded.received_at
    returning 1
), recorded as (
    insert into exchange_minutes as m
        (minute, integration_id, instance, failed, attempted, seen_failed, seen_attempted)
    select minute, integration_id, :instance, failed, attempted, failed, attempted
    from given where minute <= :now order by minute, integration_id
    on conflict (minute, integration_id, instance) do update set
        failed = m.failed + excluded.failed
            - case when excluded.attempted < m.seen_attempted or excluded.failed < m.seen_failed
              then 0 else m.seen_failed end,
        attempted = m.attempted + excluded.attempted
            - case when excluded.attempted < m.seen_attempted or excluded.failed < m.seen_failed
              then 0 else m.seen_attempted end,
        seen_failed = excluded.failed, seen_attempted = excluded.attempted
    returning 1
)
select (select count(*) from quarantined) as quarantined, (select count(*) from recorded) as recorded
""")

# The smoke test's own traffic says nothing about partners.
_SYNTHETIC = """
select i.id from integrations as i join spaces as s on s.id = i.space_id
where s.synthetic
"""

_MINUTES = text(f"""
select minute, integration_id, sum(failed)::bigint as failed, sum(attempted)::bigint as attempted
from exchange_minutes
where minute >= :since and minute <= :until and integration_id not in ({_SYNTHETIC})
group by minute, integration_id order by minute
""")  # noqa: S608  two texts of ours

_FIRST = text("select min(minute) from exchange_minutes")
_QUARANTINED = text("select count(*) from exchange_quarantine where received_at >= :since")
_PRUNE = (
    text("delete from exchange_minutes where minute < :before"),
    text("delete from exchange_quarantine where received_at < :before"),
    text("delete from readiness_probes where at < :before"),
)

_BEAT = text("""
insert into api_instances (instance, release, deploy_id, flags, seen_at)
values (:instance, :release, :deploy_id, :flags, :now)
on conflict (instance) do update set
    release = excluded.release, deploy_id = excluded.deploy_id, flags = excluded.flags,
    seen_at = excluded.seen_at
""")
_LEAVE = text("delete from api_instances where instance = :instance")
_INSTANCES = text("select * from api_instances where seen_at >= :since order by instance")
_FORGET_INSTANCES = text("delete from api_instances where seen_at < :before")

_PROBED = text("""
insert into readiness_probes (at, outcome, detail)
select * from unnest(cast(:at as timestamptz[]), cast(:outcome as text[]), cast(:detail as text[]))
on conflict do nothing
""")
_PROBES = text("""
select at, outcome, detail from readiness_probes where at >= :since and at <= :until order by at
""")
_CLOCK = text("select clock_timestamp()")


def clock(session: Session) -> datetime:
    """The database's: the one clock that all processes share."""
    return session.scalars(_CLOCK).one()


def record(session: Session, instance: str, columns: Mapping[str, list[Any]], now: datetime) -> RowMapping:
    return session.execute(_RECORD, {**columns, "instance": instance, "now": now}).mappings().one()


def minutes(session: Session, since: datetime, until: datetime) -> Sequence[RowMapping]:
    return session.execute(_MINUTES, {"since": since, "until": until}).mappings().all()


def first_minute(session: Session) -> datetime | None:
    return session.scalar(_FIRST)


def quarantined(session: Session, since: datetime) -> int:
    return session.scalar(_QUARANTINED, {"since": since}) or 0


def prune(session: Session, before: datetime) -> None:
    for statement in _PRUNE:
        session.execute(statement, {"before": before})


def beat(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(_BEAT, dict(values))


def leave(session: Session, instance: str) -> None:
    session.execute(_LEAVE, {"instance": instance})


def instances(session: Session, since: datetime) -> Sequence[RowMapping]:
    return session.execute(_INSTANCES, {"since": since}).mappings().all()


def forget_instances(session: Session, before: datetime) -> None:
    session.execute(_FORGET_INSTANCES, {"before": before})


def add_probes(session: Session, columns: Mapping[str, list[Any]]) -> None:
    session.execute(_PROBED, dict(columns))


def probes(session: Session, since: datetime, until: datetime) -> Sequence[RowMapping]:
    return session.execute(_PROBES, {"since": since, "until": until}).mappings().all()
