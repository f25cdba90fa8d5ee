"""R2, `readyz` from outside: a pure function of probe observations in the order of their times.

An observation that could not be made (the prober itself was offline) is `UNKNOWN`: it neither fails nor
passes, and a stretch of nothing else is a hole like any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from api.core.incidents.verdicts import Verdict

FAILING_FOR = timedelta(seconds=120)
FAILURES = 5
LONGEST_HOLE = timedelta(seconds=30)


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105  what a probe saw, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Probe:
    at: datetime
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failing:
    """A run of failures without a pass between them, and without a hole. `failures` 0: there is none."""

    first: datetime | None = None
    last: datetime | None = None
    failures: int = 0

    @property
    def trips(self) -> bool:
        if self.first is None or self.last is None:
            return False
        return self.last - self.first > FAILING_FOR and self.failures >= FAILURES


def judge(probes: Iterable[Probe], now: datetime) -> tuple[Verdict, Failing]:
    """The verdict at `now`; what is dated later is not looked at."""
    known = [probe for probe in probes if probe.at <= now and probe.outcome is not Outcome.UNKNOWN]
    if not known or now - known[-1].at > LONGEST_HOLE:
        return Verdict.NO_DATA, Failing()
    failing = runs(known)[-1]
    if failing.trips:
        return Verdict.TRIP, failing
    return (Verdict.PENDING if failing.failures else Verdict.OK), failing


def runs(probes: Iterable[Probe]) -> Sequence[Failing]:
    """The run of failures as it stood after each probe that saw something."""
    stood: list[Failing] = []
    run, seen_at = Failing(), None
    for probe in probes:
        if probe.outcome is Outcome.UNKNOWN:
            continue
        hole = seen_at is not None and probe.at - seen_at > LONGEST_HOLE
        seen_at = probe.at
        if probe.outcome is Outcome.PASS:
            run = Failing()
        elif hole or run.first is None:
            run = Failing(probe.at, probe.at, 1)
        else:
            run = Failing(run.first, probe.at, run.failures + 1)
        stood.append(run)
    return stood
