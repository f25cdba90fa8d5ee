"""The decisions, as pure functions of stored facts and `now`.

raised    first time → an episode opens, one message after the rule's group wait
          again      → counted; no message, unless it became worse
          during a parent's outage → not opened (an open one goes on, and ends, as ever)
open      a repeat four hours after the last message
resolved  told, with the duration, to whoever was told that it began; never told: nobody hears of it
silenced  what is due waits until the silence ends
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from api.core.alerts.catalogue import RANK, Rule

REPEAT_EVERY = timedelta(hours=4)
RETRY_FOR = timedelta(hours=1)
RETRY_FIRST = timedelta(seconds=2)
RETRY_LONGEST = timedelta(minutes=5)
JITTER = 0.2
PER_CHANNEL = timedelta(seconds=1)
"""No channel gets more than one message in so long: Slack's limit, and a reader's."""

BURST_COUNT = 10
BURST_SHARE = 0.05
CHECKS_STOPPED_AFTER = timedelta(minutes=1)


class Kind(StrEnum):
    FIRING = "firing"
    REPEAT = "repeat"
    RESOLVED = "resolved"


class Raised(StrEnum):
    OPENED = "opened"
    WORSE = "worse"
    COUNTED = "counted"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a silence covers: an empty field covers everything."""

    rule: str = ""
    scope: str = ""
    app_id: str = ""

    def covers(self, rule: str, scope: str, app_id: str) -> bool:
        pairs = ((self.rule, rule), (self.scope, scope), (self.app_id, app_id))
        return all(mine in ("", theirs) for mine, theirs in pairs)


def identity(env: str, rule: str, scope: str, app_id: str) -> str:
    """What makes two occurrences the same alert. Delivery, attempt and status are metadata only."""
    return "|".join(part.replace("|", "/") for part in (env, rule, scope, app_id))


def raised(open_severity: str | None, severity: str, *, parent_open: bool) -> Raised:
    """`open_severity`: of the open episode, None when there is none."""
    if open_severity is None:
        return Raised.SUPPRESSED if parent_open else Raised.OPENED
    return Raised.WORSE if RANK[severity] < RANK[open_severity] else Raised.COUNTED


def first_message_at(rule: Rule, now: datetime) -> datetime:
    return now + rule.group_wait


def repeat_due(opened_at: datetime, notified_at: datetime | None, now: datetime) -> bool:
    """An alert that nobody was told of in an hour of trying is tried again too."""
    return now - (notified_at or opened_at) >= REPEAT_EVERY


def over(rule: Rule, last_seen_at: datetime, now: datetime) -> bool:
    """Whether it has been quiet for long enough to count as resolved."""
    return rule.over_after is not None and now - last_seen_at >= rule.over_after


def tell_of_end(*, told: bool, being_told: bool) -> bool:
    """`told`: a message of the beginning was accepted. `being_told`: one was tried and may have been."""
    return told or being_told


def held_until(silences: Sequence[datetime], now: datetime) -> datetime | None:
    """When the last of the silences (their ends) that cover it is over; None when none holds now."""
    return max((end for end in silences if end > now), default=None)


def retry_at(
    attempt: int, first_tried_at: datetime, now: datetime, chance: float, retry_after: timedelta | None = None
) -> datetime | None:
    """When attempt number `attempt` (1: the first) that failed is tried again; None after an hour of trying.

    `chance`: 0 to 1, for the jitter. The channel's Retry-After is never undercut."""
    pause = min(RETRY_FIRST * 2 ** min(attempt - 1, 12), RETRY_LONGEST) * (1 - JITTER + 2 * JITTER * chance)
    at = now + max(pause, retry_after or timedelta(0))
    return at if at - first_tried_at <= RETRY_FOR else None


def burst(failures: int, answers: int) -> bool:
    """Of one minute: many, and not a trickle among a flood of good ones."""
    return failures >= BURST_COUNT and failures >= BURST_SHARE * answers


def missed(beat_at: datetime, silence: timedelta, watching_since: datetime, now: datetime) -> bool:
    """A loop that beat at `beat_at` is silent for longer than agreed while somebody was there to hear it."""
    return now - max(beat_at, watching_since) > silence


def watching_since(since: datetime | None, checked_at: datetime | None, now: datetime) -> datetime:
    """Since when the checks go on without a pause: whatever stood still with them gets time to come back."""
    if since is None or checked_at is None or now - checked_at > CHECKS_STOPPED_AFTER:
        return now
    return since
