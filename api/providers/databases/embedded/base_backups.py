"""Taking base backups of the live server: full, or incremental on the chain that is there.

A backup rests in `incoming/` until it is whole and verified; only then it moves into the store.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from api.core.backups.catalogue import BackupRecord
from api.core.backups.chains import Server, next_parent
from api.core.errors import Conflict, Rejected, Unavailable
from api.core.ports import ObjectStore, OnProgress, Progress, unheard
from api.providers.databases.embedded.answering import SOURCE, answers
from api.providers.databases.embedded.catalogue import Catalogue, data_key
from api.providers.databases.embedded.cluster import Cluster, connection_url
from api.providers.databases.embedded.manifests import damage, wal_range
from api.providers.databases.embedded.moving import Moved, streamed
from api.providers.databases.embedded.processes import PROVIDER, kill, programs_working_in, run
from api.providers.databases.embedded.space import folder_bytes, require_space
from api.providers.full_disk import named_when_full


@dataclass(frozen=True, slots=True)
class _Source:
    server: Server
    version: str
    database_bytes: int
    now: datetime


class BaseBackups:
    def __init__(self, cluster: Cluster, catalogue: Catalogue, full_every: timedelta) -> None:
        self._cluster = cluster
        self._catalogue = catalogue
        self._full_every = full_every

    def take(self, kind: str = "auto", on_progress: OnProgress = unheard) -> BackupRecord:
        """`kind` is full, incremental or auto (incremental while the chain is fresh). Raises `Conflict` while
        another one runs, `Refused` without room on the disk, `Rejected` when the server refuses."""
        with self._alone():
            source = self._source()
            parent = self._parent(kind, source)
            try:
                return self._take(source, parent, on_progress)
            except Rejected as error:
                if parent is None or kind == "incremental" or "summar" not in error.message:
                    raise
                # the server no longer has the WAL summaries since the parent
                return self._take(source, None, on_progress)

    def damage(self, record: BackupRecord, store: ObjectStore, on_progress: OnProgress = unheard) -> str:
        """What is wrong with a stored backup; a remote one is fetched for it."""
        binaries, account = self._cluster.binaries, self._cluster.account
        here = store.local_path(data_key(record.id))
        if here is not None:
            return damage(here, binaries, account)
        with self._alone(), tempfile.TemporaryDirectory(dir=self._cluster.home.incoming) as scratch:
            account.own(Path(scratch))
            folder = account.own_new(Path(scratch) / record.id)
            with named_when_full(folder.parent.parent, f"fetching backup {record.id}"):
                arrived = Moved("fetch", record.size_bytes, on_progress)
                store.get_tree(data_key(record.id), folder, arrived.add)
            return damage(folder, binaries, account)

    def abandoned(self) -> list[str]:
        """Backups in the store that no record lists, while none is being stored."""
        try:
            with self._alone():
                return self._catalogue.unlisted()
        except Conflict:
            return []

    def _parent(self, kind: str, source: _Source) -> BackupRecord | None:
        if kind == "full":
            return None
        every = timedelta.max if kind == "incremental" else self._full_every
        parent = next_parent(self._catalogue.records(), source.server, source.now, every)
        if parent is None and kind == "incremental":
            raise Rejected(
                "There is no full backup of this server to build on.",
                provider=PROVIDER,
                operation="backup",
                fix="Take a full backup first.",
            )
        return parent

    def _take(self, source: _Source, parent: BackupRecord | None, on_progress: OnProgress) -> BackupRecord:
        kind = "incremental" if parent else "full"
        backup_id = f"{source.now:%Y%m%dT%H%M%S}{source.now.microsecond // 1000:03d}Z-{kind}"
        folder = self._cluster.home.incoming / backup_id
        if parent is None:
            require_space(folder.parent, source.database_bytes, "a full backup")
        try:
            with named_when_full(folder.parent, f"the {kind} backup"):
                admin = self._cluster.dsn("admin", "postgres")
                with streamed(admin, backup_id, on_progress, whole=parent is None):
                    run(self._command(folder, backup_id, parent), self._cluster.account, operation="backup")
                on_progress(Progress("verify", 0.0, float(folder_bytes(folder)), "bytes"))
                record = self._record(backup_id, kind, parent, source, folder)
            self._catalogue.add(record, folder, Moved("store", record.size_bytes, on_progress).add)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._manifest_path(backup_id).unlink(missing_ok=True)
        return record

    def _command(self, folder: Path, backup_id: str, parent: BackupRecord | None) -> list[str]:
        home = self._cluster.home
        url = connection_url("backup", self._port(), "postgres", home.server_pgpass)
        argv = [
            self._cluster.binaries.program("pg_basebackup"),
            f"--pgdata={folder}",
            f"--dbname={url}&application_name={backup_id}",
            "--wal-method=none",
            "--checkpoint=fast",
            f"--label={backup_id}",
            "--no-password",
        ]
        if parent is not None:
            manifest = self._manifest_path(backup_id)
            self._catalogue.manifest(parent.id, manifest)
            self._cluster.account.own(manifest)
            argv.append(f"--incremental={manifest}")
        return argv

    def _record(
        self, backup_id: str, kind: str, parent: BackupRecord | None, source: _Source, folder: Path
    ) -> BackupRecord:
        found = damage(folder, self._cluster.binaries, self._cluster.account)
        if found:
            raise Rejected(
                f"The new backup does not verify: {found}.",
                provider=PROVIDER,
                operation="backup",
                fix="Check the disk and run `pg_amcheck` on the server before trusting it.",
            )
        needed = wal_range(folder)
        return BackupRecord(
            id=backup_id,
            kind=kind,
            parent=parent.id if parent else None,
            timeline=needed.timeline,
            start_lsn=needed.start_lsn,
            stop_lsn=needed.stop_lsn,
            started_at=source.now,
            stopped_at=self._source().now,
            system_identifier=source.server.system_identifier,
            pg_version=source.version,
            size_bytes=folder_bytes(folder),
            restored_bytes=source.database_bytes,
            verified_at=datetime.now(UTC),
        )

    def _source(self) -> _Source:
        dsn = self._cluster.dsn("admin", "postgres")
        with answers(SOURCE, "backup"), psycopg.connect(dsn, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT s.system_identifier::text, c.timeline_id, current_setting('server_version'),"
                " (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint, clock_timestamp()"
                " FROM pg_control_system() s, pg_control_checkpoint() c"
            ).fetchone()
        if row is None:
            raise Unavailable("The server did not answer.", provider=PROVIDER, operation="backup")
        identifier, timeline, version, size, now = row
        return _Source(Server(identifier, timeline), version, int(size), now.astimezone(UTC))

    def _port(self) -> int:
        port = self._cluster.running_port
        if port is None:
            raise Unavailable(
                "PostgreSQL does not run.",
                provider=PROVIDER,
                operation="backup",
                fix="Start it: `firstuser up`.",
            )
        return port

    def _manifest_path(self, backup_id: str) -> Path:
        return self._cluster.home.incoming / f"{backup_id}.manifest"

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One backup at a time. What an earlier, killed one left behind is cleared away."""
        incoming = self._cluster.home.incoming
        with (incoming / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    "A backup is being taken already.", fix="Wait until it has finished."
                ) from error
            kill(programs_working_in(incoming, self._cluster.binaries.bin))
            for left in incoming.iterdir():
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
            yield
