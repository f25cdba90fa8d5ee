"""Which moment a drill restores to: pure functions of restore points, beacons and `now`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from api.core.drills.records import Beacon
from api.core.errors import Refused
from api.core.ports import RestorePoint, RestoreTarget

LATEST = "latest"

AFTER_BEACON = timedelta(milliseconds=250)
"""A beacon commits within milliseconds of its own time; the target stands just behind that commit."""

DOWNTIME = timedelta(seconds=15)
"""Beacons come every 5 seconds: a gap of more than three is no life that could be lost."""


def parse_target(text: str, now: datetime) -> datetime | None:
    """`latest` → None; an RFC 3339 moment → that moment. Raises `Refused` for anything else or the future."""
    if text.strip().lower() == LATEST:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Refused(
            f"The target time {text!r} is not a moment.",
            fix="Give `latest` or an RFC 3339 time such as 2026-11-22T14:05:00Z.",
        ) from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > now:
        raise Refused(
            f"The target time {moment.isoformat()} is in the future (now: {now.isoformat()}).",
            fix="Give a moment in the past, or `latest`.",
        )
    return moment


def choose_target(
    asked: datetime | None, points: Sequence[RestorePoint], beacons: Sequence[Beacon]
) -> RestoreTarget:
    """The moment to restore to. `asked` None means the newest moment that stored WAL is known to reach.

    Recovery needs a commit *after* its target, so `latest` stands behind the newest beacon that has one.
    """
    reachable = [point.latest for point in points if point.latest is not None]
    if not points or not reachable:
        raise Refused(
            "There is no restore point: no base backup with stored WAL was found.",
            fix="Take one with `firstuser backups take --kind full`, and check that WAL is being archived.",
        )
    earliest, latest = min(point.earliest for point in points), max(reachable)
    if asked is not None:
        return RestoreTarget(_within(asked, earliest, latest))
    for beacon in sorted(beacons, key=lambda b: b.at, reverse=True):
        target = beacon.at + AFTER_BEACON
        if earliest < target < latest:
            return RestoreTarget(target)
    raise Refused(
        f"No beacon lies in the restorable window {earliest.isoformat()} … {latest.isoformat()}.",
        fix="See that the beacon process runs (`firstuser status`) and wait a minute for WAL to be archived.",
    )


def _within(asked: datetime, earliest: datetime, latest: datetime) -> datetime:
    if asked <= earliest:
        raise Refused(
            f"The target time {asked.isoformat()} is before the first restore point "
            f"({earliest.isoformat()}).",
            fix="Choose a later moment; `firstuser backups` lists what can be reached.",
        )
    if asked >= latest:
        raise Refused(
            f"The target time {asked.isoformat()} is not archived yet; the newest reachable moment is "
            f"{latest.isoformat()}.",
            fix="Wait until its WAL segment is archived (a minute at most), or drill to `latest`.",
        )
    return asked


def lost_seconds(restored: datetime, later: Sequence[datetime], asked_at: datetime) -> float:
    """How much of the source's life a restore to `restored` would lose: the RPO of a drill to `latest`.

    `later` are the source's beacons after it, in the order of writing. A gap between two was downtime, in
    which nothing could be lost, and counts as `DOWNTIME` at most, as does a clock set back between them;
    silence after the last one counts in full.
    """
    beats = [restored, *later]
    gaps = [abs((after - before).total_seconds()) for before, after in pairwise(beats)]
    silence = max((asked_at - beats[-1]).total_seconds(), 0.0)
    return sum(min(gap, DOWNTIME.total_seconds()) for gap in gaps) + silence
