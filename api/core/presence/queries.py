"""SQL of presence, on a bare psycopg connection: these calls come many times a second."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, Connection

from api.core.presence.rules import Beat

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

# As late as the latest beat, so that no beat from before wins against it.
_LEAVE = """
update presence set status = 'left', last_seen = greatest(last_seen, %(now)s)
where integration_id = %(integration)s and external_user_id = %(user)s and status = 'live'
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
            [key[0] for key in keys],
            [key[1] for key in keys],
            [beat.at for beat in beats],
            [beat.status for beat in beats],
        ),
    )
    return [row[0] for row in await cursor.fetchall()]


def leave(connection: Connection[Any], integration_id: str, external_user_id: str, now: datetime) -> None:
    connection.execute(_LEAVE, {"integration": integration_id, "user": external_user_id, "now": now})


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
