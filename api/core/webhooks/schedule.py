"""When a delivery is tried again, and when it is given up: a pure function of one attempt and its history.

About 76 hours in ten attempts, each wait spread by ± 20 % so that what failed together does not come back
together. `Retry-After` may lengthen a wait, up to a day. An endpoint that says it is busy (429, 502, 503,
504) is asked again later without using up an attempt, for the first day of a delivery.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

from api.core.webhooks.attempts import Attempt, Failure

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""`WAITS[n]` precedes the attempt after `n` others."""

SPREAD = 0.2
LONGEST = timedelta(hours=24)
BUSY = frozenset({429, 502, 503, 504})
BUSY_WAIT = timedelta(seconds=30)
BUSY_FOR = timedelta(hours=24)
GONE = 410
_MOST_DIGITS = 9


class Outcome(StrEnum):
    """`SLOWED` and `RELEASED` use up no attempt; `RELEASED` was not sent at all."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    SLOWED = "slowed"
    EXHAUSTED = "exhausted"
    RELEASED = "released"


class Verdict(NamedTuple):
    """`attempts` are those used up from now on; `next_attempt_at` None where there is none."""

    outcome: Outcome
    attempts: int
    next_attempt_at: datetime | None


def decide(attempt: Attempt, attempts: int, created_at: datetime, now: datetime, luck: float) -> Verdict:
    """`attempts` used up before this one; `luck` from 0 to 1 places the next one within its spread."""
    if attempt.delivered:
        return Verdict(Outcome.DELIVERED, attempts + 1, None)
    if attempt.failure is Failure.HELD:
        return Verdict(Outcome.RELEASED, attempts, now + BUSY_WAIT)
    asked = retry_after(attempt.retry_after, now)
    if attempt.status_code in BUSY and now - created_at < BUSY_FOR:
        return Verdict(Outcome.SLOWED, attempts, now + max(_spread(BUSY_WAIT, luck), asked))
    used = attempts + 1
    if used >= len(WAITS):
        return Verdict(Outcome.EXHAUSTED, used, None)
    return Verdict(Outcome.RETRIED, used, now + max(_spread(WAITS[used], luck), asked))


def retry_after(header: str, now: datetime) -> timedelta:
    """Seconds or a date, at most a day; nothing for what is neither, or over."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:_MOST_DIGITS])), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta(0)), LONGEST)


def _spread(wait: timedelta, luck: float) -> timedelta:
    return wait * (1 - SPREAD + 2 * SPREAD * luck)
