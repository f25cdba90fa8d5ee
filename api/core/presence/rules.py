"""What a heartbeat may claim, decided without a database."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

CLOCK_SKEW = timedelta(seconds=60)
NEXT_IN_SECONDS = 30
MAX_USERS = 100

PresenceStatus = Literal["live", "left"]


class Beat(NamedTuple):
    external_user_id: str
    status: PresenceStatus
    at: datetime


def clamp(at: datetime | None, now: datetime) -> datetime:
    """The moment a beat counts for: at most `CLOCK_SKEW` away from our clock; ours when none is given."""
    return now if at is None else min(max(at, now - CLOCK_SKEW), now + CLOCK_SKEW)


def newest_per_user(beats: Iterable[Beat]) -> list[Beat]:
    """One beat per user, in user order: writers that lock rows in one order cannot deadlock."""
    newest: dict[str, Beat] = {}
    for beat in beats:
        known = newest.get(beat.external_user_id)
        if known is None or beat.at >= known.at:
            newest[beat.external_user_id] = beat
    return [newest[user] for user in sorted(newest)]
