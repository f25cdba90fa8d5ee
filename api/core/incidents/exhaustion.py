"""R3, deliveries given up: a pure function of their times, integrations and hosts.

One host that is down is that partner's outage, not ours; so is one integration with two hosts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.incidents.verdicts import Verdict

WITHIN = timedelta(minutes=15)
DELIVERIES = 3
INTEGRATIONS = 2
HOSTS = 2


@dataclass(frozen=True, slots=True)
class Exhausted:
    at: datetime
    integration_id: str
    host: str


def judge(exhausted: Iterable[Exhausted], now: datetime) -> tuple[Verdict, Sequence[Exhausted]]:
    """The verdict at `now`, and the deliveries it rests on."""
    lately = [one for one in exhausted if timedelta(0) <= now - one.at <= WITHIN]
    trips = (
        len(lately) >= DELIVERIES
        and len({one.integration_id for one in lately}) >= INTEGRATIONS
        and len({one.host for one in lately}) >= HOSTS
    )
    return (Verdict.TRIP if trips else Verdict.OK), lately
