"""Temporary copies: built from a chain of backups, started, found again, destroyed.

A copy's server lives in a session of its own and survives us; its folder says everything about it, so that
any process can adopt or destroy it.
"""

import re
import shutil
import signal
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from api.core.backups.wal import SEGMENT_BYTES, format_lsn
from api.core.errors import Refused
from api.core.ports import Handle, ObjectStore, OnProgress
from api.providers.databases.embedded.archiving import install_scripts
from api.providers.databases.embedded.assembly import Assembly
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.fetching import WalFetch
from api.providers.databases.embedded.launching import start_copy
from api.providers.databases.embedded.markers import (
    CREATING,
    STARTED,
    Marker,
    handle_of,
    read_marker,
    write_marker,
)
from api.providers.databases.embedded.moving import Moved
from api.providers.databases.embedded.processes import (
    kill,
    postmaster_pid,
    programs_working_in,
    stop_server,
)
from api.providers.databases.embedded.reach import Located
from api.providers.databases.embedded.space import require_space
from api.providers.full_disk import named_when_full

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")


class Copies:
    def __init__(self, cluster: Cluster, store: ObjectStore, *, fsync: bool) -> None:
        self._cluster = cluster
        self._store = store
        self._assembly = Assembly(cluster, store)
        self._fsync = fsync

    def folder(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise Refused(f"{name!r} is no name for a copy.", fix="Use lower-case letters, digits, - and _.")
        return self._cluster.home.drills / name

    def adopt(self, located: Located, name: str, expires_at: datetime) -> Handle | None:
        """The copy `name`, when it stands and is of the same backup and target."""
        folder = self.folder(name)
        marker = read_marker(folder)
        if marker is None or marker.stage != STARTED or postmaster_pid(folder / "data") is None:
            return None
        if not marker.describes(located.target, located.window.record.id):
            return None
        marker = replace(marker, handle=replace(marker.handle, expires_at=expires_at))
        write_marker(folder, marker)
        return marker.handle

    def require_room(self, located: Located) -> None:
        """Raises `Refused` when the copy, and what has to be fetched for it, would not fit."""
        record = located.window.record
        needed = int(record.restored_bytes * 1.1) + len(located.segments) * SEGMENT_BYTES
        if self._store.local_path(data_key(record.id)) is None:
            needed += sum(link.size_bytes for link in located.window.chain)
        require_space(self._cluster.home.drills, needed, f"restoring backup {record.id}")

    def create(self, located: Located, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        """Build the copy and start its server; it replays on its own from here."""
        with named_when_full(self._cluster.home.drills, f"restoring backup {located.window.record.id}"):
            return self._create(located, name, expires_at, on_progress)

    def _create(self, located: Located, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        folder = self.folder(name)
        folder.mkdir(mode=0o700)
        self._cluster.account.own(folder)
        install_scripts(self._cluster.home, self._cluster.account, self._cluster.store)
        marker = Marker(_new_handle(located, name, expires_at), CREATING, located.target.lsn)
        write_marker(folder, marker)
        received = Moved("fetch", located.bytes_to_fetch, on_progress)
        with self._wal(located, folder, received) as wal:
            self._assembly.build(located, folder, received, on_progress)
            port = start_copy(self._cluster, located, folder, wal, fsync=self._fsync)
        marker = marker.at(STARTED, port=str(port))
        write_marker(folder, marker)
        return marker.handle

    def destroy(self, name: str) -> None:
        """End every process of the copy, then remove its files. Idempotent."""
        folder = self.folder(name)
        if not folder.exists():
            return
        stop_server(folder / "data", signal.SIGQUIT, timeout_s=10)
        kill(programs_working_in(folder, self._cluster.binaries.bin))
        _remove(folder)

    def handles(self) -> list[Handle]:
        drills = self._cluster.home.drills
        return [handle_of(folder) for folder in sorted(drills.iterdir()) if folder.is_dir()]

    @contextmanager
    def _wal(self, located: Located, folder: Path, received: Moved) -> Generator[Path]:
        """The folder that the copy reads its WAL from: the archive itself, or one that is being filled."""
        archive = self._store.local_path(f"wal/{located.segments[0].name}")
        wal = folder / "wal"
        fetch: AbstractContextManager[object] = nullcontext()
        if archive is None:
            fetch = WalFetch(self._store, located.segments, wal, self._cluster.account, received.add)
        with fetch:
            yield archive.parent if archive else wal


def _new_handle(located: Located, name: str, expires_at: datetime) -> Handle:
    record = located.window.record
    details = {
        "backup": record.id,
        "chain": ",".join(link.id for link in located.window.chain),
        "timeline": str(record.timeline),
        "first_segment": located.segments[0].name,
        "last_segment": located.segments[-1].name,
        "start_lsn": format_lsn(record.start_lsn),
        "stop_lsn": format_lsn(located.stop.lsn),
    }
    return Handle(name, located.target.at, expires_at, details)


def _remove(folder: Path) -> None:
    """Once more when a dying process still wrote a file."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)
    shutil.rmtree(folder)
