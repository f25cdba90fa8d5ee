"""Where `now` comes from. Decisions take `now` as an argument; only doors and loops ask a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def frozen_clock(moment: datetime) -> Clock:
    """A clock that stands at `moment`: staging looks at a restored copy with the eyes of its target time."""
    return lambda: moment
