"""A restore to the first verified query, against the size of the database and against the WAL to replay.

The part of a drill that grows: pointing staging and logging in cost the same whatever the size. Three minutes
on two cores set the usual sizes; `--largest 4` takes longer."""

from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from statistics import median

from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings
from deployments.bench import ground
from deployments.bench.growth.slopes import Growth, Point
from deployments.bench.places import scratch_settings
from deployments.bench.restore import GB, Ground, restore_once

SIZES = (0.25, 0.5, 1.0)
WAL = (0.125, 0.25, 0.5)
_LITTLE_WAL, _LITTLE_DATA = 0.03, 0.25


def measure(
    settings: Settings,
    below: Path,
    sizes: Sequence[float],
    wal: Sequence[float],
    rounds: int,
    say: Callable[[str], None],
) -> list[Growth]:
    by_size = [_point(settings, below, size, _LITTLE_WAL, size, rounds, say) for size in sizes]
    by_wal = [_point(settings, below, _LITTLE_DATA, each, each, rounds, say) for each in wal]
    return [Growth("restore", "GB of data", by_size), Growth("restore and replay", "GB of WAL", by_wal)]


def _point(
    settings: Settings,
    below: Path,
    size: float,
    wal: float,
    axis: float,
    rounds: int,
    say: Callable[[str], None],
) -> Point:
    with scratch_settings(settings, below) as (own, scratch):
        database = EmbeddedDatabase.from_settings(own)
        database.cluster.initialise()
        database.cluster.start()
        try:
            dsn = database.source_dsn("admin")
            ground.fill(dsn, int(size * GB), lambda _said: None)
            database.take_backup("full")
            ground.write_wal(dsn, int(wal * GB))
            marker, moment = ground.mark(dsn)
            made = Ground(database, scratch, scratch, marker, moment.astimezone(UTC))
            runs = [restore_once(made) for _ in range(rounds)]
        finally:
            database.cluster.stop()
    say(f"{size} GB and {wal} GB of WAL: {median(runs):.2f} s")
    return Point(axis, median(runs), runs)
