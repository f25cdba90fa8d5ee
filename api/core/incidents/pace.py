"""The clock of the incident watch: the wall's, or a faster one for a rehearsal of an hour in minutes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
CLOSES_AFTER = timedelta(seconds=30)
"""So long after its end a minute is closed: by then every process has written down what it counted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """From `origin` on the watch's time passes `rate` times as fast as the wall's."""

    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    rate: float = 1.0

    def at(self, wall: datetime) -> datetime:
        return self.origin + (wall - self.origin) * self.rate if self.rate != 1.0 else wall

    def minute(self, wall_seconds: float) -> int:
        """The minute since 1970 that a moment of the wall's clock (seconds since then) belongs to."""
        if self.rate == 1.0:
            return int(wall_seconds) // 60
        began = self.origin.timestamp()
        return int(began + (wall_seconds - began) * self.rate) // 60


def minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def newest_closed(now: datetime) -> datetime:
    """The beginning of the newest minute that is closed."""
    return minute_of(now - CLOSES_AFTER) - MINUTE
