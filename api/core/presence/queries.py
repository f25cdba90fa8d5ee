"""SQL of presence, on a bare psycopg connection: these calls come many times a second."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection, Connection

from api.core.presence.rules import Beat
from api.db import arrays

_BEAT = """
insert into presence as known (integration_id, external_user_id, last_seen, status)
select %(integration)s, beat.who, beat.at, beat.status
from unnest(%(who)s::text[], %(at)s::timestamptz[], %(status)s::text[]) as beat(who, at, status)
where exists (
    select from grants
    where grants.integration_id = %(integration)s and grants.external_user_id = beat.who
      and grants.revoked_at is null)
order by beat.who
on conflict (integration_id, external_user_id) do update set
    last_seen = greatest(known.last_seen, excluded.last_seen),
    status = case when excluded.last_seen >= known.last_seen then excluded.status else known.status end
"""

_BEATS = """
with beat as materialized (
    select given.*, exists (
        select from grants
        where grants.integration_id = given.integration_id and grants.external_user_id = given.who
          and grants.revoked_at is null) as admitted
    from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[])
        with ordinality as given(integration_id, who, at, status, place)
), written as (
    insert into presence as known (integration_id, external_user_id, last_seen, status)
    select integration_id, who, at, status from beat where admitted order by integration_id, who
    on conflict (integration_id, external_user_id) do update set
        last_seen = greatest(known.last_seen, excluded.last_seen),
        status = case when excluded.last_seen >= known.last_seen then excluded.status else known.status end
)
select place - 1 from beat where not admitted
"""

_LIVE = "integration_id = any(%(integrations)s) and status = 'live' and last_seen > %(since)s"

# As late as the latest beat, so that no beat from before wins against it; and whatever the row says, because
# a beat that is being written shows only to those who wait for it.
_LEAVE = """
update presence set status = 'left', last_seen = greatest(last_seen, %(now)s)
where integration_id = %(integration)s and external_user_id = %(user)s
"""

# Whoever is being written at this moment is not silent.
_SILENT = """
with silent as (
    select integration_id, external_user_id from presence
    where status = 'live' and last_seen <= %(before)s
    limit %(limit)s for update skip locked
)
update presence set status = 'left' from silent
where presence.integration_id = silent.integration_id
  and presence.external_user_id = silent.external_user_id
"""

_COUNT = f"select count(*) from presence where {_LIVE}"  # noqa: S608  the only inserted text is above

_PAGE = f"""
select external_user_id, integration_id, last_seen, status from presence
where {_LIVE} and (external_user_id, integration_id) > (%(user)s, %(integration)s)
order by external_user_id, integration_id
limit %(limit)s
"""  # noqa: S608


def record(connection: Connection[Any], integration_id: str, beats: Sequence[Beat]) -> int:
    """Write the beats of users who hold a grant; returns how many that were."""
    return connection.execute(
        _BEAT,
        {
            "integration": integration_id,
            "who": [beat.external_user_id for beat in beats],
            "at": [beat.at for beat in beats],
            "status": [beat.status for beat in beats],
        },
    ).rowcount


async def record_many(
    connection: AsyncConnection[Any], keys: Sequence[tuple[str, str]], beats: Sequence[Beat]
) -> list[int]:
    """Write the beats of (integration, user) pairs, each of which is there once; the places of those refused
    because there is no grant."""
    cursor = await connection.execute(
        _BEATS,
        (
            arrays.texts([key[0] for key in keys]),
            arrays.texts([key[1] for key in keys]),
            arrays.moments([beat.at for beat in beats]),
            arrays.texts([beat.status for beat in beats]),
        ),
    )
    return [row[0] for row in await cursor.fetchall()]


def leave(connection: Connection[Any], integration_id: str, external_user_id: str, now: datetime) -> None:
    connection.execute(_LEAVE, {"integration": integration_id, "user": external_user_id, "now": now})


def leave_silently(connection: Connection[Any], before: datetime, limit: int) -> int:
    return connection.execute(_SILENT, {"before": before, "limit": limit}).rowcount


def count(connection: Connection[Any], integration_ids: Sequence[str], since: datetime) -> int:
    row = connection.execute(_COUNT, {"integrations": list(integration_ids), "since": since}).fetchone()
    return int(row[0]) if row else 0


def page(
    connection: Connection[Any],
    integration_ids: Sequence[str],
    since: datetime,
    after: tuple[str, str],
    limit: int,
) -> list[tuple[str, str, datetime, str]]:
    """(external_user_id, integration_id, last_seen, status) after the given pair of the first two."""
    return connection.execute(
        _PAGE,
        {
            "integrations": list(integration_ids),
            "since": since,
            "user": after[0],
            "integration": after[1],
            "limit": limit,
        },
    ).fetchall()


_SAMPLE = """
insert into presence_minutes (integration_id, minute, live)
select integrations.id, %(minute)s, (
    select count(*) from presence
    where presence.integration_id = integrations.id and status = 'live' and last_seen > %(since)s)
from integrations join spaces on spaces.id = space_id and not synthetic
on conflict do nothing
"""

_MINUTES = """
select date_bin(%(step)s, minute, %(since)s) as slot, max(live)::int from (
    select minute, sum(live) as live from presence_minutes
    where integration_id = any(%(integrations)s) and minute > %(since)s and minute <= %(until)s
    group by minute) as totals
group by slot order by slot
"""

_PRUNE = """
delete from presence_minutes
where integration_id in (select id from integrations) and minute < %(before)s
"""


def hold_minute(connection: Connection[Any], minute: datetime) -> bool:
    """False when another process has this minute, or has had it."""
    row = connection.execute(
        "select pg_try_advisory_xact_lock(hashtext('presence_minutes'), %(number)s) and not exists ("
        " select from presence_minutes where minute = %(minute)s"
        " and integration_id in (select integrations.id from integrations"
        " join spaces on spaces.id = space_id and not synthetic order by integrations.id limit 1))",
        {"number": int(minute.timestamp()) // 60 % 2**31, "minute": minute},
    ).fetchone()
    return bool(row and row[0])


def sample(connection: Connection[Any], minute: datetime, since: datetime) -> int:
    """One row for each integration that has none for this minute, not the smoke test's; returns how many."""
    return connection.execute(_SAMPLE, {"minute": minute, "since": since}).rowcount


def minutes(
    connection: Connection[Any],
    integration_ids: Sequence[str],
    since: datetime,
    until: datetime,
    step: timedelta,
) -> list[tuple[datetime, int]]:
    """(start, most live at once) of the slots of `step` from `since` that have any sample."""
    asked = {"integrations": list(integration_ids), "since": since, "until": until, "step": step}
    return connection.execute(_MINUTES, asked).fetchall()


def prune(connection: Connection[Any], before: datetime) -> int:
    return connection.execute(_PRUNE, {"before": before}).rowcount
