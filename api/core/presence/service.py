"""Heartbeats in, live users out. A user is live while the newest beat is younger than the window."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection, Connection

from api.core.presence import queries
from api.core.presence.rules import Beat, newest_per_user

FIRST = ("", "")
SILENT = timedelta(minutes=10)
SILENT_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class LiveUser:
    external_user_id: str
    integration_id: str
    last_seen: datetime
    status: str


@dataclass(frozen=True, slots=True)
class LivePage:
    """`count` counts all live users, not only those of this page; `next_after` is None on the last one."""

    users: Sequence[LiveUser]
    count: int
    as_of: datetime
    window_seconds: int
    next_after: tuple[str, str] | None


def record(connection: Connection[Any], integration_id: str, beats: Sequence[Beat]) -> tuple[int, int]:
    """(accepted, rejected) users. Rejected are those without a grant. Idempotent."""
    distinct = newest_per_user(beats)
    accepted = queries.record(connection, integration_id, distinct) if distinct else 0
    return accepted, len(distinct) - accepted


async def record_many(
    connection: AsyncConnection[Any], calls: Sequence[tuple[str, Sequence[Beat]]]
) -> list[tuple[int, int]]:
    """(accepted, rejected) users of each call (integration, beats), as if alone; by one statement."""
    newest: dict[tuple[str, str], Beat] = {}
    for integration_id, beats in calls:
        for beat in beats:
            key = (integration_id, beat.external_user_id)
            known = newest.get(key)
            if known is None or beat.at >= known.at:
                newest[key] = beat
    keys = sorted(newest)
    refused = {
        keys[place] for place in await queries.record_many(connection, keys, [newest[key] for key in keys])
    }
    return [_counted(integration_id, beats, refused) for integration_id, beats in calls]


def _counted(
    integration_id: str, beats: Sequence[Beat], refused: Collection[tuple[str, str]]
) -> tuple[int, int]:
    if not refused and len(beats) == 1:
        return 1, 0
    users = {beat.external_user_id for beat in beats}
    rejected = sum((integration_id, user) in refused for user in users) if refused else 0
    return len(users) - rejected, rejected


def leave(connection: Connection[Any], integration_id: str, external_user_id: str, now: datetime) -> None:
    """The user is not live any more, whatever was said before."""
    queries.leave(connection, integration_id, external_user_id, now)


def leave_silently(connection: Connection[Any], now: datetime, window_seconds: int) -> int:
    """Writes down as left up to `SILENT_AT_ONCE` users of whom nothing has been heard for `SILENT` beyond the
    window: nobody is live by them, and who looks for the live ones need not pass them. Returns how many. A
    clock that stands a little wrong makes nobody leave who is live."""
    silent_since = now - timedelta(seconds=window_seconds) - SILENT
    return queries.leave_silently(connection, silent_since, SILENT_AT_ONCE)


def count_live(
    connection: Connection[Any], integration_ids: Sequence[str], now: datetime, window_seconds: int
) -> int:
    return queries.count(connection, integration_ids, now - timedelta(seconds=window_seconds))


def live(
    connection: Connection[Any],
    integration_ids: Sequence[str],
    now: datetime,
    window_seconds: int,
    after: tuple[str, str] = FIRST,
    limit: int = 100,
) -> LivePage:
    """Live users of the integrations in order of their ids, `limit` at a time."""
    since = now - timedelta(seconds=window_seconds)
    rows = queries.page(connection, integration_ids, since, after, limit + 1)
    users = [LiveUser(*row) for row in rows[:limit]]
    more = len(rows) > limit
    return LivePage(
        users=users,
        count=queries.count(connection, integration_ids, since),
        as_of=now,
        window_seconds=window_seconds,
        next_after=(users[-1].external_user_id, users[-1].integration_id) if more else None,
    )
