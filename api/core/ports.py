"""The ports: what core and the flows ask of the world outside. Adapters live in `api.providers`.

`DatabaseProvider`  restore to a temporary database, and get rid of it again
`HostingProvider`   point a service at a database, and know when it serves from it
`ObjectStore`       where base backups and WAL segments rest
`Messenger`         how a login code reaches a person
`AccessChecker`     any of them that can tell what its credentials may do
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """One base backup that a restore can start from, with the window of moments it can reach.

    `earliest` is the moment the backup ended; `latest` the newest moment reachable by replaying stored WAL
    from it without a gap (None when not even the backup's own end is covered).
    """

    id: str
    kind: str  # "full" | "incremental" | "vendor"
    earliest: datetime
    latest: datetime | None
    size_bytes: int
    chain: Sequence[str] = ()  # ids from the full backup to this one
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """The moment to restore to. `lsn` (`0/3000060`), when known, names it exactly and wins over `at`."""

    at: datetime
    lsn: str | None = None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What `locate` found: the restore point to start from and what has to be fetched."""

    target: RestoreTarget
    point: RestorePoint
    bytes_to_fetch: int
    wal_segments: int


@dataclass(frozen=True, slots=True)
class Handle:
    """A temporary database by its deterministic `name` (`drill-<id>`). Holds no secret; survives as JSON."""

    name: str
    target_at: datetime
    expires_at: datetime
    details: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    """What the provider promises, for preflight: PITR on, days kept, newest restorable moment."""

    pitr_enabled: bool
    retention_days: float
    latest_restorable: datetime | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long step is: `done` of `total` in `unit` (`total` 0 when not known)."""

    phase: str
    done: float
    total: float
    unit: str


OnProgress = Callable[[Progress], None]


def unheard(_progress: Progress) -> None:
    """For callers that nobody waits beside."""


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """Something about a copy that only its provider can know, held against what it should be.

    `possible` is False for what the vendor has no way to do: neither held nor broken, but to be said."""

    name: str
    ok: bool
    expected: str
    observed: str
    fix: str = ""
    possible: bool = True


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that an adapter has to be allowed to do, such as `read deploys`. `ok` is None where nothing
    short of doing it would show."""

    what: str
    ok: bool | None
    observed: str
    fix: str = ""


@runtime_checkable
class AccessChecker(Protocol):
    """An adapter that can hold its credentials against what it needs, for `firstuser providers check`."""

    def check_access(self) -> Sequence[Permission]:
        """Reads only. A vendor that says no, or nothing, is a finding and no error; no secret shows."""
        ...


class DatabaseProvider(Protocol):
    """Restores for drills. Every method may raise `ProviderError`; `locate` raises `Refused` for a target
    that cannot be restored (before the first restore point, in the future, inside a WAL gap, no backup)."""

    name: str

    def restore_points(self) -> Sequence[RestorePoint]:
        """Oldest first."""
        ...

    def locate(self, target: RestoreTarget) -> RestorePlan:
        """Choose the restore point and prove, before anything is created, that the target is reachable."""
        ...

    def restore(self, plan: RestorePlan, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        """Fetch and start the temporary database `name`. The same name again adopts or replaces it."""
        ...

    def wait(self, handle: Handle, on_progress: OnProgress) -> None:
        """Return once the copy stands, read-only where the provider can do that, exactly at the target."""
        ...

    def promote(self, handle: Handle) -> None:
        """Open the copy for writing. Nothing to do where the vendor hands it out open."""
        ...

    def dsn(self, handle: Handle, role: str) -> str:
        """Connection URL for `role` ("app" as the product connects once it is open, "admin" for checks),
        without a password where one is found by file."""
        ...

    def verify(self, handle: Handle) -> Sequence[ProviderFact]:
        """What the provider itself can prove: manifest, WAL continuity, timeline, checksum failures."""
        ...

    def amcheck(self, handle: Handle) -> ProviderFact:
        """The thorough structural check of tables and indexes; slow."""
        ...

    def destroy(self, handle: Handle) -> None:
        """Remove every trace of the copy. Idempotent: an absent copy is success."""
        ...

    def orphans(self, now: datetime) -> Sequence[Handle]:
        """Every temporary database that still exists, expired or not."""
        ...

    def backup_policy(self) -> BackupPolicy: ...


class Backup(Protocol):
    """A base backup as its keeper records it."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def verified_at(self) -> datetime | None: ...


class Pruned(Protocol):
    """What a retention run removed."""

    @property
    def backups(self) -> Sequence[Backup]: ...


@runtime_checkable
class BackupKeeper(Protocol):
    """A database whose backups we take ourselves: the embedded default. Vendors take their own."""

    def take_backup(self, kind: str, on_progress: OnProgress = unheard) -> Backup:
        """`full`, `incremental` or `auto`; the backup counts once it is verified and stored."""
        ...

    def verify_backup(self, backup_id: str, on_progress: OnProgress = unheard) -> Backup:
        """Raises `Rejected` when it is damaged."""
        ...

    def prune(self, now: datetime, retention_days: float, on_progress: OnProgress = unheard) -> Pruned:
        """Remove what is past retention, never the last good chain."""
        ...

    def wal_gaps(self) -> Sequence[object]:
        """The gaps in the stored WAL, each saying what is missing; empty when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What a service serves from right now, as seen from outside."""

    healthy: bool
    deploy_id: str
    restored_copy: str | None  # the temporary database's name, None when it serves its own
    detail: str = ""


class HostingProvider(Protocol):
    """Points a service (`staging`) at a database. Pointers are references without secrets."""

    name: str

    def pointer(self, service: str) -> str:
        """The current pointer of the service, to be remembered before it is changed."""
        ...

    def point(
        self, service: str, dsn: str, *, restored_copy: str | None = None, as_of: datetime | None = None
    ) -> str:
        """Point the service and redeploy it; returns the deploy id.

        With `restored_copy` set, outbound messages are forced into the local outbox and the clock stands
        at `as_of`."""
        ...

    def wait_live(self, service: str, deploy_id: str, timeout_s: float) -> ServiceState:
        """Return once *this* deploy serves; raises `TimedOut` otherwise."""
        ...

    def state(self, service: str) -> ServiceState: ...

    def base_url(self, service: str) -> str: ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Deploy:
    """A release with its configuration, as a service was given it. `irreversible`: it carries a migration
    that cannot be taken back, so nothing older may serve after it."""

    id: str
    release: str
    at: datetime
    irreversible: bool = False


@runtime_checkable
class ReleaseKeeper(Protocol):
    """A hosting provider that knows what a service was deployed with, and goes back to it."""

    def deploys(self, service: str) -> Sequence[Deploy]:
        """Oldest first; the last is the one that serves."""
        ...

    def roll_back(self, service: str, to: str = "") -> str:
        """Deploy again what served before, or the deploy `to`; returns the new deploy's id. Asked again while
        it serves that already, it changes nothing. Raises `Refused` when there is nothing to go back to, or a
        migration forbids it."""
        ...

    def served(self, service: str) -> ServiceState:
        """As seen from outside."""
        ...


@runtime_checkable
class Deployer(Protocol):
    """A hosting provider that deploys when it is told to; others deploy what is pushed to a repository."""

    def deploy(
        self, service: str, release: str, variables: Mapping[str, str], *, irreversible: bool = False
    ) -> str:
        """Serve this release with these variables over the service's own; returns the deploy's id. Raises
        `Refused` for a secret among them."""
        ...

    def over(self, service: str) -> Mapping[str, str]:
        """What its newest deploy sets over the service's own variables, the release's name among them."""
        ...


@runtime_checkable
class VariableLister(Protocol):
    """A hosting provider that can say which variables a service has."""

    def variables(self, service: str) -> Collection[str]:
        """Names only."""
        ...


class ObjectStore(Protocol):
    """Keys are `/`-separated. Writes are atomic: a key is absent or whole. Files are streamed."""

    name: str

    def put_file(self, key: str, path: Path) -> None: ...

    def get_file(self, key: str, path: Path) -> None:
        """Raises `NotFound`."""
        ...

    def put_bytes(self, key: str, data: bytes) -> None: ...

    def get_bytes(self, key: str) -> bytes:
        """For small objects only (metadata). Raises `NotFound`."""
        ...

    def put_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        """Store a folder under one key. The folder may be moved into the store: it is gone afterwards.

        `on_bytes` hears, from any thread, how much more is stored; of a folder that is moved, nothing."""
        ...

    def get_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None: ...

    def local_path(self, key: str) -> Path | None:
        """The object's (or tree's) place on this machine, when it has one."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """In key order."""
        ...

    def delete(self, key: str) -> None:
        """A file or a tree. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    channel: str  # "sms" | "email"
    to: str
    subject: str
    body: str


class Messenger(Protocol):
    name: str

    def send(self, message: OutgoingMessage) -> str:
        """Hand the message over, once; returns the carrier's id for it.

        Raises `Refused` for a channel that it does not serve, `Unavailable` when nothing was sent,
        `Rejected`, and `TimedOut` when nobody knows. No error holds the code, the address or the key."""
        ...
