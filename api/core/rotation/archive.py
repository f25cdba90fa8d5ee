"""How long an old key stays for backups that were sealed with it: pure functions of facts and `now`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LOOK_AGAIN = timedelta(hours=1)
"""A backup that should be gone may be there for longer: the last good chain is never removed."""


@dataclass(frozen=True, slots=True)
class Backups:
    """`ended`: the first moment that each of them restores to; None where a vendor has them and does not
    say. None is kept for less than `retention`."""

    ended: Sequence[datetime] | None
    retention: timedelta


def kept_until(backups: Backups, freed_at: datetime, now: datetime) -> datetime | None:
    """When the old key may go at the earliest; None: now.

    `freed_at`: since then nothing live is sealed with it. A backup that ended before may restore what is; it
    goes once another one has been there for the whole retention."""
    if backups.ended is None:
        until = freed_at + backups.retention
        return until if now < until else None
    newer = [ended for ended in backups.ended if ended > freed_at]
    if len(newer) == len(backups.ended):
        return None
    return max(min(newer, default=now) + backups.retention, now + LOOK_AGAIN)
