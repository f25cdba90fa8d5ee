"""Clocks that are wrong would let a drill pass on the data of another hour. Pure functions of what they say.

Recovery to a time stops at the first commit after it: when a clock was set back, the moments since then exist
twice, and it stops at the earlier ones.
"""

from datetime import datetime, timedelta

from api.core.drills.records import CheckResult, check
from api.core.errors import Refused

APART = timedelta(seconds=30)
_SET = "Set the clock by NTP on both machines, then start again."


def require_same(ours: datetime, source: datetime) -> None:
    """Raises `Refused` when this machine's clock and the source database's are too far apart to compare."""
    ahead = (ours - source).total_seconds()
    if abs(ahead) > APART.total_seconds():
        way = "ahead of" if ahead > 0 else "behind"
        raise Refused(
            f"This machine's clock is {abs(ahead):.0f} s {way} the source database's.",
            fix=_SET,
            code="clocks_apart",
        )


def steady(
    last: datetime | None, set_back: tuple[datetime, datetime] | None, target: datetime, now: datetime
) -> CheckResult:
    """`last` is the source's beacon that was written last; `set_back` is from when to when its clock went
    after the restored beacon."""
    observed, fix = "one time after the other", ""
    if last is not None and last - now > APART:
        observed = f"the last beacon is {(last - now).total_seconds():.0f} s ahead of this clock"
        fix = _SET
    elif set_back is not None and set_back[1] <= target:
        start, end = set_back
        observed = f"the clock went from {start.isoformat()} back to {end.isoformat()}: the target came twice"
        fix = f"Drill to a moment before {end.isoformat()}, or again after {start.isoformat()}."
    expected = "beacons in the order of their times, none ahead of now"
    return check("clock", not fix, expected, observed, fix)
