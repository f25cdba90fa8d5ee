"""A proof that is dated after now was dated by a clock that is wrong: nobody can say how old it is."""

from datetime import datetime, timedelta

AHEAD = timedelta(minutes=1)


def from_the_future(moment: datetime, now: datetime) -> str:
    """What is wrong with such a date; empty when nothing is."""
    ahead = moment - now
    if ahead <= AHEAD:
        return ""
    return f"it is dated {ahead.total_seconds():.0f} s ahead of this clock: set the clock"
