"""How an endpoint fares, and how much it is given: pure functions of its health.

Closed: all that its rate allows. After `OPEN_AFTER` failures in a row it is open and given nothing until
`not_before`, each time for longer; then half-open: one delivery tries, and a success closes it. 410 disables
it, and so do five days without any success.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.core.webhooks.attempts import Attempt
from api.core.webhooks.schedule import BUSY, GONE, retry_after

OPEN_AFTER = 5
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
DISABLED_AFTER = timedelta(days=5)
AHEAD = 8
"""A healthy endpoint is handed this many times its concurrency at once."""


@dataclass(frozen=True, slots=True)
class Health:
    """`failures` in a row; `disabled` says why there is nothing to be sent any more."""

    failures: int = 0
    failing_since: datetime | None = None
    not_before: datetime | None = None
    disabled: str = ""

    @property
    def open(self) -> bool:
        return self.failures >= OPEN_AFTER


def after(health: Health, attempt: Attempt, now: datetime) -> Health:
    if attempt.delivered:
        return Health(disabled=health.disabled)
    failures, since = health.failures + 1, health.failing_since or now
    pause = retry_after(attempt.retry_after, now) if attempt.status_code in BUSY else timedelta(0)
    if attempt.status_code in BUSY or failures >= OPEN_AFTER:
        pause = max(pause, _pause(failures))
    later = max(health.not_before or now, now + pause) if pause else health.not_before
    failed = replace(health, failures=failures, failing_since=since, not_before=later)
    if attempt.status_code == GONE:
        return replace(failed, disabled="It answered 410 Gone.")
    if now - since >= DISABLED_AFTER:
        return replace(failed, disabled="Nothing was accepted for 5 days.")
    return failed


def after_all(health: Health, attempts: Sequence[Attempt], now: datetime) -> Health:
    for attempt in attempts:
        health = after(health, attempt, now)
    return health


def quota(health: Health, concurrency: int, tokens: float, now: datetime) -> int:
    """How many deliveries may be claimed for an endpoint that has none in flight."""
    if health.disabled or (health.not_before and health.not_before > now):
        return 0
    wanted = 1 if health.open else concurrency if health.failures else concurrency * AHEAD
    return max(0, min(wanted, int(tokens)))


def refilled(tokens: float, rate: float, since: datetime, now: datetime) -> float:
    """The token bucket: `rate` a second, at most two seconds' worth."""
    return min(2 * rate, tokens + rate * max(0.0, (now - since).total_seconds()))


def _pause(failures: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
