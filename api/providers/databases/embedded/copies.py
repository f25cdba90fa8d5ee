"""Temporary copies: built from a chain of backups, started, found again, destroyed.

A copy's server lives in a session of its own and survives us; its folder says everything about it, so that
any process can adopt or destroy it.
"""

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from api.core.backups.catalogue import BackupRecord
from api.core.backups.wal import SEGMENT_BYTES, format_lsn
from api.core.errors import Refused, Rejected
from api.core.ports import Handle, ObjectStore, OnProgress, Progress
from api.providers.databases.embedded.archiving import install_scripts, restore_command
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.cluster import Cluster, tail
from api.providers.databases.embedded.configuration import append_settings
from api.providers.databases.embedded.control import control_data
from api.providers.databases.embedded.fetching import WalFetch
from api.providers.databases.embedded.manifests import damage
from api.providers.databases.embedded.markers import (
    CREATING,
    STARTED,
    Marker,
    handle_of,
    read_marker,
    write_marker,
)
from api.providers.databases.embedded.processes import (
    PROVIDER,
    kill,
    launch,
    postmaster_pid,
    programs_working_in,
    stop_server,
)
from api.providers.databases.embedded.reach import Located
from api.providers.databases.embedded.recovery import copy_settings, followed_settings
from api.providers.databases.embedded.space import folder_bytes, require_space

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
_START_SECONDS = 60


class Copies:
    def __init__(self, cluster: Cluster, store: ObjectStore, *, fsync: bool) -> None:
        self._cluster = cluster
        self._store = store
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
        folder = self.folder(name)
        folder.mkdir(mode=0o700)
        self._cluster.account.own(folder)
        install_scripts(self._cluster.home, self._cluster.account, self._cluster.store)
        marker = Marker(_new_handle(located, name, expires_at), CREATING, located.target.lsn)
        write_marker(folder, marker)
        received = _Received(located.bytes_to_fetch, on_progress)
        with self._wal(located, folder, received) as wal:
            self._build(located, folder, received, on_progress)
            port = self._start(located, folder, wal)
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
    def _wal(self, located: Located, folder: Path, received: "_Received") -> Generator[Path]:
        """The folder that the copy reads its WAL from: the archive itself, or one that is being filled."""
        archive = self._store.local_path(f"wal/{located.segments[0].name}")
        wal = folder / "wal"
        fetch: AbstractContextManager[object] = nullcontext()
        if archive is None:
            fetch = WalFetch(self._store, located.segments, wal, self._cluster.account, received.add)
        with fetch:
            yield archive.parent if archive else wal

    def _build(self, located: Located, folder: Path, received: "_Received", on_progress: OnProgress) -> None:
        chain = located.window.chain
        inputs = [self._store.local_path(data_key(link.id)) for link in chain]
        if all(inputs):
            self._combine([str(path) for path in inputs], folder, "--copy-file-range", chain[-1], on_progress)
            return
        fetched = [self._fetch(link, folder, received) for link in chain]
        # `--link` changes its inputs, and these are ours
        self._combine([str(path) for path in fetched], folder, "--link", chain[-1], on_progress)

    def _fetch(self, link: BackupRecord, folder: Path, received: "_Received") -> Path:
        target = folder / "fetched" / link.id
        for each in (target.parent, target):
            self._cluster.account.own_new(each)
        self._store.get_tree(data_key(link.id), target, received.add)
        target.chmod(0o700)
        found = damage(target, self._cluster.binaries, self._cluster.account)
        if found:
            raise Rejected(
                f"Backup {link.id} is damaged: {found}.",
                provider=PROVIDER,
                operation="restore",
                fix="Choose a target that another chain reaches, and take a full backup now.",
            )
        return target

    def _combine(
        self, inputs: list[str], folder: Path, mode: str, record: BackupRecord, on_progress: OnProgress
    ) -> None:
        argv = [self._cluster.binaries.program("pg_combinebackup"), mode, "--no-sync"]
        log = folder / "combine.log"
        process = launch([*argv, f"--output={folder / 'data'}", *inputs], self._cluster.account, log)
        self._watch(process, folder / "data", record.restored_bytes, on_progress)
        if process.returncode != 0:
            raise Rejected(
                f"pg_combinebackup failed: {tail(log)}",
                provider=PROVIDER,
                operation="restore",
                fix="Verify the chain with `firstuser backups verify`, and take a full backup.",
            )

    def _watch(
        self, process: subprocess.Popen[bytes], data: Path, expected: int, on_progress: OnProgress
    ) -> None:
        try:
            while True:
                try:
                    process.wait(timeout=0.5)
                    return
                except subprocess.TimeoutExpired:
                    on_progress(Progress("fetch", float(folder_bytes(data)), float(expected), "bytes"))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _start(self, located: Located, folder: Path, wal: Path) -> int:
        """Configure and launch; another port is taken when someone was faster."""
        data = folder / "data"
        account, binaries = self._cluster.account, self._cluster.binaries
        controls = [
            control_data(each, binaries, account) for each in (data, self._cluster.home.data) if each.exists()
        ]
        (data / "recovery.signal").touch()
        account.own(data / "recovery.signal")
        for _ in range(3):
            port = _free_port()
            command = restore_command(self._cluster.home, wal)
            settings = copy_settings(
                folder.name, port, command, located.target, located.last, fsync=self._fsync
            )
            append_settings(data / "postgresql.auto.conf", {**settings, **followed_settings(*controls)})
            log = folder / "postgres.log"
            process = launch([binaries.program("postgres"), "-D", str(data)], account, log)
            if self._came_up(process, data):
                return port
            if "could not bind" not in tail(log):
                break
        raise Rejected(
            f"The copy's server did not start: {tail(folder / 'postgres.log')}",
            provider=PROVIDER,
            operation="restore",
        )

    def _came_up(self, process: subprocess.Popen[bytes], data: Path) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if _listening(data):
                return True
            time.sleep(0.02)
        return False


class _Received:
    """Adds up what has arrived, from several threads."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def add(self, size: int) -> None:
        self._done += size
        self._on_progress(Progress("fetch", float(self._done), float(max(self._total, self._done)), "bytes"))


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


def _listening(data: Path) -> bool:
    """The pid file gets its port line once the server has taken the port."""
    try:
        return len((data / "postmaster.pid").read_text().splitlines()) >= 6
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _remove(folder: Path) -> None:
    """Once more when a dying process still wrote a file."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)
    shutil.rmtree(folder)
