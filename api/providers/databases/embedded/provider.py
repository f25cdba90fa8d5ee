"""`EmbeddedDatabase`: the port `DatabaseProvider` over this folder, and what the backups flow calls."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg

from api.core.backups.catalogue import BackupRecord
from api.core.backups.retention import Removal, plan_removal
from api.core.backups.wal import Gap, gaps
from api.core.clock import Clock, system_clock
from api.core.errors import FirstUserError, Refused, Rejected, TimedOut, Unavailable
from api.core.ports import (
    BackupPolicy,
    Handle,
    ObjectStore,
    OnProgress,
    Progress,
    RestorePlan,
    RestorePoint,
    RestoreTarget,
    unheard,
)
from api.providers.databases import copy_login
from api.providers.databases.embedded import facts
from api.providers.databases.embedded.answering import SOURCE, answers
from api.providers.databases.embedded.base_backups import BaseBackups
from api.providers.databases.embedded.catalogue import Catalogue
from api.providers.databases.embedded.cluster import Cluster, connection_url
from api.providers.databases.embedded.copies import Copies
from api.providers.databases.embedded.facts import Fact
from api.providers.databases.embedded.passwords import ensure_passwords
from api.providers.databases.embedded.processes import PROVIDER
from api.providers.databases.embedded.reach import Located, Reach
from api.providers.databases.embedded.replay import open_for_writing, wait_for_target
from api.providers.databases.embedded.roles import APP, PRODUCTION
from api.providers.databases.embedded.wal_files import PREFIX, WalFiles
from api.providers.databases.logins import Logins
from api.providers.stores import open_store
from api.settings import Settings

_STALL_SECONDS = 300
_SEAL_SECONDS = 75


class EmbeddedDatabase:
    name = PROVIDER

    def __init__(
        self, cluster: Cluster, store: ObjectStore, settings: Settings, clock: Clock = system_clock
    ) -> None:
        drills = settings.drills
        self.cluster = cluster
        self.store = store
        self.settings = settings
        self._clock = clock
        self._retention = timedelta(days=drills.backup_retention_days)
        self._catalogue = Catalogue(store)
        self._wal = WalFiles(store, cluster.binaries, cluster.home.scratch)
        self._reach = Reach(self._catalogue, self._wal)
        self._copies = Copies(cluster, store, fsync=drills.drill_fsync)
        self._backups = BaseBackups(cluster, self._catalogue, timedelta(hours=drills.backup_full_every_hours))

    @classmethod
    def from_settings(cls, settings: Settings) -> "EmbeddedDatabase":
        cluster = Cluster.from_settings(settings)
        return cls(cluster, open_store(settings.store, cluster.home.store), settings)

    # restores

    def restore_points(self) -> Sequence[RestorePoint]:
        return [window.point() for window in self._reach.windows()]

    def locate(self, target: RestoreTarget) -> RestorePlan:
        located = self._located(target)
        self._copies.require_room(located)
        return located.plan()

    def restore(self, plan: RestorePlan, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        located = self._reach.locate(plan.target, self._clock(), plan.point.id)
        adopted = self._copies.adopt(located, name, expires_at)
        if adopted is not None:
            return adopted
        self._copies.destroy(name)
        self._copies.require_room(located)
        return self._copies.create(located, name, expires_at, on_progress)

    def wait(self, handle: Handle, on_progress: OnProgress) -> None:
        dsn = self._dsn(handle, "admin", "postgres")
        wait_for_target(handle, self._copies.folder(handle.name), dsn, on_progress, _STALL_SECONDS)

    def promote(self, handle: Handle) -> None:
        admin = self._dsn(handle, "admin", "postgres")
        password = ensure_passwords(self.cluster.home.pgpass, [copy_login.COPY])[copy_login.COPY]
        with answers(f"The copy {handle.name}", "promote"):
            open_for_writing(admin)
            with psycopg.connect(admin, autocommit=True) as connection:
                copy_login.admit(Logins(connection), APP, password)

    def dsn(self, handle: Handle, role: str) -> str:
        return self._dsn(handle, copy_login.COPY if role == "app" else role, PRODUCTION)

    def destroy(self, handle: Handle) -> None:
        self._copies.destroy(handle.name)

    def orphans(self, now: datetime) -> Sequence[Handle]:
        return self._copies.handles()

    def backup_policy(self) -> BackupPolicy:
        latest = max((point.latest for point in self.restore_points() if point.latest), default=None)
        days = self._retention.total_seconds() / 86400
        try:
            enabled, note = self._archiving()
        except psycopg.OperationalError:
            enabled, note = False, "The server does not answer."
        return BackupPolicy(enabled and latest is not None, days, latest, note)

    # what only this provider knows about a copy

    def verify(self, handle: Handle) -> list[Fact]:
        """Facts about the copy and the backup it was made from. A failed one is a value, not an error."""
        record = self._catalogue.get(handle.details["backup"])
        chain = [self._catalogue.get(each) for each in handle.details["chain"].split(",")]
        cluster, dsn = self.cluster, self._dsn(handle, "admin", PRODUCTION)
        manifests = facts.manifest_fact(chain, self.store, cluster.binaries, cluster.account)
        with (
            answers(f"The copy {handle.name}", "verify"),
            psycopg.connect(dsn, autocommit=True) as connection,
        ):
            found = facts.server_facts(connection, handle, record)
            found.append(facts.with_relations(connection, manifests))
        return [*found, facts.continuity_fact(handle, list(self._wal.stored()))]

    def amcheck(self, handle: Handle, *, heap_all_indexed: bool = False) -> Fact:
        """Every index and table of the promoted copy. Minutes on a large database."""
        cluster = self.cluster
        return facts.corruption_fact(
            int(handle.details["port"]),
            PRODUCTION,
            cluster.home.server_pgpass,
            cluster.binaries,
            cluster.account,
            heap_all_indexed=heap_all_indexed,
        )

    # the live server and its backups

    def source_dsn(self, role: str = "reader", database: str = PRODUCTION) -> str:
        return self.cluster.dsn(role, database)

    def take_backup(self, kind: str = "auto", on_progress: OnProgress = unheard) -> BackupRecord:
        """Take, verify and store one; it can be restored from the moment that this returns."""
        record = self._backups.take(kind, on_progress)
        self.seal()  # a backup reaches no moment at all before the first segment after it is archived
        return record

    def backups(self) -> list[BackupRecord]:
        return self._catalogue.records()

    def verify_backup(self, backup_id: str, on_progress: OnProgress = unheard) -> BackupRecord:
        """Check a stored backup against its manifest, and record that. Raises `Rejected` if damaged."""
        record = self._catalogue.get(backup_id)
        found = self._backups.damage(record, self.store, on_progress)
        if found:
            raise Rejected(
                f"Backup {backup_id} is damaged: {found}.",
                provider=PROVIDER,
                operation="verify backup",
                fix="Take a full backup now; restore from another chain.",
            )
        record = record.verified(self._clock())
        self._catalogue.save(record)
        return record

    def prune(
        self, now: datetime, retention_days: float | None = None, on_progress: OnProgress = unheard
    ) -> Removal:
        """Delete what no restore point of the period needs; never the newest intact chain."""
        keep = self._retention if retention_days is None else timedelta(days=retention_days)
        removal = plan_removal(self._catalogue.records(), list(self._wal.stored()), now, keep)
        for backup_id in [record.id for record in removal.backups] + self._backups.abandoned():
            self._catalogue.remove(backup_id)
        for done, segment in enumerate(removal.segments):
            on_progress(Progress("prune", float(done), float(len(removal.segments)), "WAL segments"))
            self.store.delete(PREFIX + segment.name)
        return removal

    def wal_gaps(self) -> list[Gap]:
        """Segments missing since the oldest backup, newest stored segment included."""
        records = self._catalogue.records()
        stored = list(self._wal.stored())
        found: list[Gap] = []
        for timeline in sorted({record.timeline for record in records}):
            first = min(record.first_segment for record in records if record.timeline == timeline)
            found += gaps(stored, first)
        return found

    def seal(self, timeout_s: float = _SEAL_SECONDS) -> datetime:
        """Make everything committed so far restorable now: a commit of nothing, then its segment forced out.

        Writes no row. Returns the server's time of that commit: every earlier moment is reachable."""
        dsn = self.cluster.dsn("admin")
        with (
            answers(SOURCE, "seal"),
            psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection,
        ):
            connection.execute("SELECT pg_current_xact_id()")
            query = "SELECT clock_timestamp(), pg_walfile_name(pg_switch_wal())"
            row = connection.execute(query).fetchone()
            if row is None:
                raise Unavailable("The server did not answer.", provider=PROVIDER, operation="seal")
            moment, segment = row
            self._wait_archived(connection, segment, timeout_s)
        return moment.astimezone(UTC)

    def _wait_archived(self, connection: psycopg.Connection, segment: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            row = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone()
            if row and (row[0] or "") >= segment:
                return
            time.sleep(0.02)
        raise TimedOut(
            f"Segment {segment} was not archived within {timeout_s:.0f} s.{self._said_by_archiving()}",
            provider=PROVIDER,
            operation="seal",
            fix=f"Read {self.cluster.home.log} for what archive_command says.",
        )

    def _said_by_archiving(self) -> str:
        """The last complaint of the archive script, which ends in the server's log."""
        said = [line for line in self.cluster.log_end(8000).splitlines() if line.startswith("archive: ")]
        return f" {said[-1]}" if said else ""

    def _located(self, target: RestoreTarget) -> Located:
        """When the target is newer than what is stored, and the server lives, its WAL is fetched from it."""
        try:
            return self._reach.locate(target, self._clock())
        except Refused as refusal:
            if refusal.code != "target_not_archived" or self.cluster.running_port is None:
                raise
            try:
                self.seal()
            except FirstUserError:
                raise refusal from None
        return self._reach.locate(target, self._clock())

    def _archiving(self) -> tuple[bool, str]:
        with psycopg.connect(self.cluster.dsn("admin", "postgres"), connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT current_setting('archive_mode') = 'on',"
                " coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),"
                " last_failed_wal"
                " FROM pg_stat_archiver"
            ).fetchone()
        on, failing, segment = row or (False, False, None)
        return bool(on) and not failing, f"Archiving {segment} fails." if failing else ""

    def _dsn(self, handle: Handle, role: str, database: str) -> str:
        return connection_url(role, int(handle.details["port"]), database, self.cluster.home.pgpass)
