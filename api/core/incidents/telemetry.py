"""Writing down what was observed, and reading it as the rules want it: series of closed minutes, probes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from api.core.incidents import observation_queries as queries
from api.core.incidents.exchange_rate import Bucket
from api.core.incidents.pace import MINUTE
from api.core.incidents.readiness import Outcome, Probe
from api.core.incidents.tally import EVERYBODY, Count

KEPT = timedelta(days=40)
GONE_AFTER = timedelta(minutes=1)
"""An API process that was not heard for so long is none any more."""

_log = structlog.get_logger("incidents")


@dataclass(frozen=True, slots=True)
class Instance:
    name: str
    release: str
    deploy_id: str
    flags: str
    seen_at: datetime


def record(session: Session, instance: str, counts: Sequence[Count], now: datetime) -> int:
    """Write counters of one process; the same again changes nothing. Returns how many are of the future:
    those are kept aside and never judged."""
    if not counts:
        return 0
    columns = {name: [getattr(count, name) for count in counts] for name in Count._fields}
    done = queries.record(session, instance, columns, now)
    if done["quarantined"]:
        _log.warning("counts of the future were quarantined", instance=instance, rows=done["quarantined"])
    return done["quarantined"]


def beat(session: Session, instance: Instance) -> None:
    """The process lives, serves this release and goes by these flags."""
    queries.beat(
        session,
        {
            "instance": instance.name,
            "release": instance.release,
            "deploy_id": instance.deploy_id,
            "flags": instance.flags,
            "now": instance.seen_at,
        },
    )


def leave(session: Session, instance: str) -> None:
    """The process ends on purpose."""
    queries.leave(session, instance)


def instances(session: Session, now: datetime) -> list[Instance]:
    """Those that live. `now` is the wall's."""
    return [
        Instance(row["instance"], row["release"], row["deploy_id"], row["flags"], row["seen_at"])
        for row in queries.instances(session, now - GONE_AFTER)
    ]


@dataclass(frozen=True, slots=True)
class Minutes:
    """Of every scope, from `start` on, a bucket a minute. A minute that any process watched is present for
    every integration; the whole service is the sum of all."""

    start: datetime
    series: Mapping[str, Sequence[Bucket | None]]

    def at(self, place: int) -> datetime:
        return self.start + place * MINUTE


def series(session: Session, since: datetime, until: datetime) -> Minutes:
    """`until`: the newest minute, itself included. A series begins where anything was ever counted."""
    first = queries.first_minute(session)
    if first is None or first > until:
        return Minutes(until, {})
    start = max(since, first)
    length = int((until - start) / MINUTE) + 1
    rows = queries.minutes(session, start, until)
    watched = [False] * length
    found: dict[str, dict[int, Bucket]] = {EVERYBODY: {}}
    for row in rows:
        place = int((row["minute"] - start) / MINUTE)
        watched[place] = True
        bucket = Bucket(row["failed"], row["attempted"])
        everybody = found[EVERYBODY].get(place, Bucket(0, 0))
        found[EVERYBODY][place] = Bucket(
            everybody.failed + bucket.failed, everybody.attempted + bucket.attempted
        )
        if row["integration_id"] != EVERYBODY:
            found.setdefault(row["integration_id"], {})[place] = bucket
    whole = {
        scope: [buckets.get(place, Bucket(0, 0)) if watched[place] else None for place in range(length)]
        for scope, buckets in found.items()
    }
    return Minutes(start, whole)


def quarantined(session: Session, since: datetime) -> int:
    return queries.quarantined(session, since)


def add_probes(session: Session, probes: Sequence[Probe]) -> None:
    """Each once, however often it is brought."""
    columns = {
        "at": [probe.at for probe in probes],
        "outcome": [probe.outcome.value for probe in probes],
        "detail": [probe.detail[:500] for probe in probes],
    }
    queries.add_probes(session, columns)


def probes(session: Session, since: datetime, until: datetime) -> list[Probe]:
    return [
        Probe(row["at"], Outcome(row["outcome"]), row["detail"])
        for row in queries.probes(session, since, until)
    ]


def database_now(session: Session) -> datetime:
    return queries.clock(session)


def prune(session: Session, now: datetime) -> None:
    queries.prune(session, now - KEPT)
    queries.forget_instances(session, now - timedelta(days=1))
