"""Pages of live users for many integrations by one statement, and how many are live in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from api.core.presence.service import FIRST, LivePage, LiveUser

_PAGES = """
select asked.place - 1, found.external_user_id, found.last_seen, found.status
from unnest(%s::text[], %s::text[], %s::text[], %s::int[])
    with ordinality as asked(integration_id, user_id, of_integration, size, place)
cross join lateral (
    select external_user_id, last_seen, status from presence
    where presence.integration_id = asked.integration_id and status = 'live' and last_seen > %s
      and external_user_id >= asked.user_id
      and (external_user_id, integration_id) > (asked.user_id, asked.of_integration)
    order by external_user_id limit asked.size) as found
order by asked.place, found.external_user_id
"""
_COUNTS = """
select asked.integration_id, (
    select count(*) from presence
    where presence.integration_id = asked.integration_id and status = 'live' and last_seen > %s)
from unnest(%s::text[]) as asked(integration_id)
"""


@dataclass(frozen=True, slots=True)
class PageAsked:
    integration_id: str
    after: tuple[str, str] = FIRST
    limit: int = 100


async def counts(
    connection: AsyncConnection[Any], integration_ids: Sequence[str], since: datetime
) -> Mapping[str, int]:
    cursor = await connection.execute(_COUNTS, (since, list(integration_ids)))
    return dict(await cursor.fetchall())


async def pages(
    connection: AsyncConnection[Any],
    asked: Sequence[PageAsked],
    counted: Mapping[str, int],
    now: datetime,
    window_seconds: int,
) -> list[LivePage]:
    """One page each, in their order; `counted` is what `counts` said of their integrations."""
    columns = (
        [each.integration_id for each in asked],
        [each.after[0] for each in asked],
        [each.after[1] for each in asked],
        [each.limit + 1 for each in asked],
    )
    cursor = await connection.execute(_PAGES, (*columns, now - timedelta(seconds=window_seconds)))
    found: list[list[LiveUser]] = [[] for _ in asked]
    for place, user, last_seen, status in await cursor.fetchall():
        found[place].append(LiveUser(user, asked[place].integration_id, last_seen, status))
    return [
        _page(each, users, counted[each.integration_id], now, window_seconds)
        for each, users in zip(asked, found, strict=True)
    ]


def _page(
    asked: PageAsked, found: Sequence[LiveUser], count: int, now: datetime, window_seconds: int
) -> LivePage:
    users = found[: asked.limit]
    last = (users[-1].external_user_id, asked.integration_id) if len(found) > asked.limit else None
    return LivePage(users, count, now, window_seconds, last)
