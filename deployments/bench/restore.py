"""Restoring 2 GB with more than 1 GB of WAL since the full backup, from asking to the first verified query.

One run, one machine, interleaved: ours (an incremental backup at most 5 minutes old), the recovery a person
would run by hand with stock settings, `cp -r` of the data directory, and pgBackRest where it is installed.
"""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep

import psutil

from api.core.ports import Progress, RestoreTarget
from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.archiving import archive_command
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.processes import run
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings
from deployments.bench import ground, pgbackrest
from deployments.bench.by_hand import Recovery, by_hand, copy_of, until_verified
from deployments.bench.measures import Measurement, interleaved, seconds
from deployments.bench.places import free_port

GB = 1_000_000_000
ROUNDS = 3
SEGMENTS = 12
SEGMENT_NAME = 24  # characters
MEMORY_LIMIT_MB = 300

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """A live cluster whose newest marker can be restored to `moment`."""

    database: EmbeddedDatabase
    scratch: Path
    full_backup: Path
    marker: int
    moment: datetime


def measure(settings: Settings, scratch: Path, size: int, wal: int, say: Say) -> list[Measurement]:
    """All restore benches. Everything lives below `scratch` and is removed by the caller."""
    database = EmbeddedDatabase.from_settings(settings)
    peer = _peer(database, scratch) if pgbackrest.installed() else None
    if peer is None:
        say("pgBackRest or PostgreSQL 15 is not installed: measured without it")
    database.cluster.initialise()
    database.cluster.start()
    try:
        made = _prepare(database, scratch, size, wal, say)
        acts: dict[str, Callable[[], float]] = {
            "ours": lambda: restore_once(made),
            "by hand": lambda: _by_hand(made),
            "cp -r": lambda: copy_of(database.cluster.home.data, scratch / "cp"),
        }
        archiving: list[Measurement] = []
        if peer:
            acts["pgBackRest"] = _prepare_peer(peer, size, wal, say)
            archiving = _archiving(made, peer)
            peer.forget_data()
        say(f"restoring, {ROUNDS} rounds of {', '.join(acts)}")
        taken = interleaved(ROUNDS, acts)
        return [*_measurements(taken), *archiving, _memory(made)]
    finally:
        database.cluster.stop()
        if peer:
            peer.stop()


def _prepare(database: EmbeddedDatabase, scratch: Path, size: int, wal: int, say: Say) -> Ground:
    dsn = database.source_dsn("admin")
    ground.fill(dsn, size, say)
    say("full backup")
    full = database.take_backup("full")
    say(f"writing {wal / GB:.1f} GB of WAL")
    ground.write_wal(dsn, wal)
    say("incremental backup")
    database.take_backup("incremental")
    marker, moment = ground.mark(dsn)
    _forget_wal_before(database, full.first_segment.name)
    place = database.store.local_path(data_key(full.id))
    if place is None:
        raise LookupError("these benches need the directory store")
    return Ground(database, scratch, place, marker, moment.astimezone(UTC))


def _forget_wal_before(database: EmbeddedDatabase, segment: str) -> None:
    """The WAL of filling the tables goes: the page cache is to hold what the restores read."""
    for stored in list(database.store.list("wal/")):
        if stored.key.removeprefix("wal/") < segment:
            database.store.delete(stored.key)


def restore_once(made: Ground) -> float:
    """Locate, restore, wait, first query; then the copy is destroyed."""
    started = perf_counter()
    plan = made.database.locate(RestoreTarget(made.moment))
    expires = datetime.now(UTC) + timedelta(hours=1)
    handle = made.database.restore(plan, "drill-bench", expires, _quiet)
    made.database.wait(handle, _quiet)
    until_verified(made.database.dsn(handle, "admin"), made.marker)
    taken = perf_counter() - started
    made.database.destroy(handle)
    return taken


def _by_hand(made: Ground) -> float:
    cluster = made.database.cluster
    port = free_port()
    dsn = f"postgresql://firstuser_admin@127.0.0.1:{port}/firstuser?passfile={cluster.home.pgpass}"

    def make(data: Path, restore_command: str) -> Recovery:
        return Recovery(cluster.binaries.bin, cluster.account, data, port, restore_command, made.moment, dsn)

    return by_hand(made.full_backup, cluster.home.store / "wal", make, made.scratch, made.marker)


def _archiving(made: Ground, peer: pgbackrest.Peer) -> list[Measurement]:
    """One segment through each archive_command, called as the server calls it; medians of a few, in turn."""
    for dsn in (made.database.source_dsn("admin"), peer.dsn):
        ground.settle(dsn)
    cluster = made.database.cluster
    command = archive_command(cluster.home, cluster.store)
    ours = iter(_segments(cluster.home.data, made.scratch / "push18", cluster.account))
    theirs = iter(_segments(peer.data, made.scratch / "push15", peer.account))

    def push(segment: Path) -> None:
        shell = command.replace("%p", str(segment)).replace("%f", segment.name).replace("%%", "%")
        run(["/bin/sh", "-c", shell], cluster.account, operation="archive")

    taken = interleaved(
        SEGMENTS,
        {"ours": lambda: seconds(lambda: push(next(ours))), "peer": lambda: peer.push_seconds(next(theirs))},
    )
    return [Measurement("archive one segment", taken["ours"], taken["peer"], "pgBackRest archive-push", 0.5)]


def _segments(data: Path, folder: Path, account: OsAccount) -> list[Path]:
    """Copies of a full segment under names that no server will ever write."""
    source = min(path for path in (data / "pg_wal").iterdir() if len(path.name) == SEGMENT_NAME)
    folder.mkdir(mode=0o755)
    copies = [folder / f"00000001000000FF000000{number:02X}" for number in range(SEGMENTS)]
    for each in copies:
        shutil.copyfile(source, each)
        account.own(each)
    return copies


def _memory(made: Ground) -> Measurement:
    """What this process grows to over a restore, sampled; the server's own processes are not ours."""
    process, peak, stop = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)
            sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        restore_once(made)
    finally:
        stop.set()
        watcher.join()
    return Measurement("peak memory of a restore", peak[0] / 1e6, MEMORY_LIMIT_MB, "limit", 1.0, "MB")


def _peer(database: EmbeddedDatabase, scratch: Path) -> pgbackrest.Peer:
    root = scratch / "peer"
    root.mkdir(mode=0o755)
    database.cluster.account.own(root)
    return pgbackrest.Peer(root, database.cluster.account, free_port())


def _prepare_peer(peer: pgbackrest.Peer, size: int, wal: int, say: Say) -> Callable[[], float]:
    say("the same for pgBackRest and PostgreSQL 15")
    peer.start()
    ground.fill(peer.dsn, size, say)
    peer.back_up()
    ground.write_wal(peer.dsn, wal)
    marker, moment = ground.mark(peer.dsn)
    return lambda: peer.restore(moment, marker, free_port())


def _measurements(taken: dict[str, float]) -> list[Measurement]:
    ours = taken["ours"]
    found = [
        Measurement("restore, incremental ≤ 5 min old", ours, taken["cp -r"], "cp -r of the data", 2.0),
        Measurement("restore with 1 GB of WAL", ours, taken["by hand"], "by hand, stock settings", 0.5),
    ]
    if "pgBackRest" in taken:
        found.append(Measurement("restore with 1 GB of WAL", ours, taken["pgBackRest"], "pgBackRest", 0.4))
    return found


def _quiet(_progress: Progress) -> None:
    pass
