"""How many were live, minute by minute: written once per minute, kept for 30 days, drawn on pages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from api.core.presence import queries

KEPT = timedelta(days=30)
MINUTE = timedelta(minutes=1)


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def sample(connection: Connection[Any], now: datetime, window_seconds: int) -> int:
    """Count for the minute of `now`, unless somebody else does; returns the rows written."""
    minute = minute_of(now)
    if not queries.hold_minute(connection, minute):
        return 0
    return queries.sample(connection, minute, now - timedelta(seconds=window_seconds))


def series(
    connection: Connection[Any],
    integration_ids: Sequence[str],
    now: datetime,
    reach: timedelta,
    step: timedelta = MINUTE,
) -> Sequence[tuple[datetime, int]]:
    """(start, most live at once) per `step` over the last `reach`, oldest first; times without a sample are
    left out, because not to know is not the same as nobody."""
    return queries.minutes(connection, integration_ids, minute_of(now) - reach, now, step)


def prune(connection: Connection[Any], now: datetime) -> int:
    """Removes what is older than `KEPT`; returns the rows."""
    return queries.prune(connection, now - KEPT)
