"""R1, the error rate of access exchanges: a pure function of closed one-minute buckets, in integers.

A bucket is `(failed, attempted)`; None is a minute that nobody reported, which 0 of 0 is not. Minute `i` of a
series counts from its first bucket. Source of every number: the rollback rules' R1, steps 3 to 5.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from api.core.incidents.verdicts import Verdict


class Bucket(NamedTuple):
    failed: int
    attempted: int


Series = Sequence[Bucket | None]


class State(StrEnum):
    NODATA = "NODATA"
    THIN = "THIN"
    BREACH = "BREACH"
    OK = "OK"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`window`: trailing buckets of a minute's state, `present` of them at least. `attempts`: fewer are thin,
    unless `failures` of them and half of all failed. `bridged`: minutes without a state that a run survives.
    A trip takes `hold` minutes of breach, the last `recent` buckets still bad, and `lately_failures` in the
    last `lately` buckets."""

    window: int = 5
    present: int = 3
    attempts: int = 20
    failures: int = 5
    percent: int = 5
    bridged: int = 3
    hold: int = 10
    recent: int = 2
    lately: int = 10
    lately_failures: int = 5


RULE = Thresholds()


@dataclass(frozen=True, slots=True)
class Judged:
    """`failed`, `attempted`, `present`: of the trailing window. `since`: the run's first minute of breach."""

    verdict: Verdict
    state: State
    failed: int
    attempted: int
    present: int
    since: int | None = None


class _Sums:
    """Sums over any stretch of buckets, each at once."""

    def __init__(self, series: Series) -> None:
        self._failed = [0, *accumulate(bucket.failed if bucket else 0 for bucket in series)]
        self._attempted = [0, *accumulate(bucket.attempted if bucket else 0 for bucket in series)]
        self._present = [0, *accumulate(bucket is not None for bucket in series)]

    def last(self, minutes: int, at: int) -> tuple[int, int, int]:
        """(failed, attempted, present) of the `minutes` buckets that end with minute `at`."""
        end, start = at + 1, max(0, at + 1 - minutes)
        return (
            self._failed[end] - self._failed[start],
            self._attempted[end] - self._attempted[start],
            self._present[end] - self._present[start],
        )


class _Runs:
    """Where the run of breach began that the newest minute belongs to, without walking back each time."""

    def __init__(self, bridged: int) -> None:
        self._breaches: list[int] = []
        self._gaps: deque[int] = deque(maxlen=bridged + 1)
        self._ended = -1

    def since(self, at: int, state: State) -> int | None:
        """To be asked of each minute in order. None unless the minute itself is in breach."""
        if state is State.OK:
            self._breaches.clear()
            self._gaps.clear()
            self._ended = at
            return None
        if state is not State.BREACH:
            self._gaps.append(at)
            return None
        self._breaches.append(at)
        too_many = len(self._gaps) == self._gaps.maxlen
        ended = self._gaps[0] if too_many else self._ended
        return self._breaches[bisect_right(self._breaches, ended)]


def judge(series: Series, rule: Thresholds = RULE) -> list[Judged]:
    """The verdict at every minute, were it the newest closed one."""
    sums, runs = _Sums(series), _Runs(rule.bridged)
    judged: list[Judged] = []
    for at, bucket in enumerate(series):
        failed, attempted, present = sums.last(rule.window, at)
        state = _state(failed, attempted, present, at, rule)
        since = runs.since(at, state)
        verdict = _verdict(bucket, state, at, since, sums, rule)
        judged.append(Judged(verdict, state, failed, attempted, present, since))
    return judged


def _state(failed: int, attempted: int, present: int, at: int, rule: Thresholds) -> State:
    if present < min(rule.present, at + 1):
        return State.NODATA
    mostly_failing = failed >= rule.failures and 2 * failed >= attempted
    if attempted < rule.attempts and not mostly_failing:
        return State.THIN
    return State.BREACH if _over(failed, attempted, rule) else State.OK


def _verdict(
    bucket: Bucket | None, state: State, at: int, since: int | None, sums: _Sums, rule: Thresholds
) -> Verdict:
    if bucket is None or state is State.NODATA:
        return Verdict.NO_DATA
    if since is None:
        return Verdict.OK if state is State.OK else Verdict.INSUFFICIENT
    recent_failed, recent_attempted, _ = sums.last(rule.recent, at)
    lately_failed, _, _ = sums.last(rule.lately, at)
    trips = (
        at - since >= rule.hold
        and recent_failed > 0
        and _over(recent_failed, recent_attempted, rule)
        and lately_failed >= rule.lately_failures
    )
    return Verdict.TRIP if trips else Verdict.PENDING


def _over(failed: int, attempted: int, rule: Thresholds) -> bool:
    return 100 * failed > rule.percent * attempted
