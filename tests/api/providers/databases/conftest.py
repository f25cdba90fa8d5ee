"""A database with a history: full backup, rows, incremental backup, rows, a target, a mishap after it."""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from api.core.backups.catalogue import BackupRecord
from api.core.ports import Handle, Progress, RestoreTarget
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.stores.directory import DirectoryStore
from api.settings import Settings
from tests.clusters import cluster, cluster_settings, cluster_state

__all__ = ["cluster", "cluster_settings", "cluster_state"]

ROWS = 20


@dataclass(frozen=True)
class History:
    """`ledger` holds `rows` rows at `target`; after it one more is inserted and the table dropped."""

    before: datetime
    full: BackupRecord
    middle: datetime
    middle_rows: int
    incremental: BackupRecord
    target: datetime
    target_lsn: str
    rows: int


def now() -> datetime:
    return datetime.now(UTC)


def silent(_: Progress) -> None:
    return


@pytest.fixture(scope="session")
def database(cluster: Cluster, cluster_settings: Settings) -> EmbeddedDatabase:
    return EmbeddedDatabase.from_settings(cluster_settings)


@pytest.fixture(scope="session")
def history(database: EmbeddedDatabase) -> History:
    return make_history(database)


def make_history(database: EmbeddedDatabase) -> History:
    _execute(
        database,
        "owner",
        "CREATE TABLE ledger (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())",
    )
    insert(database, range(ROWS))
    before = now()
    full = database.take_backup("full")
    insert(database, range(ROWS, 2 * ROWS))
    middle = moment()
    insert(database, range(2 * ROWS, 3 * ROWS))
    incremental = database.take_backup("incremental")
    insert(database, range(3 * ROWS, 4 * ROWS))
    target = moment()
    lsn = _execute(database, "admin", "SELECT pg_current_wal_insert_lsn()::text")
    insert(database, [999])
    _execute(database, "owner", "DROP TABLE ledger")
    database.seal()
    return History(before, full, middle, 2 * ROWS, incremental, target, lsn, 4 * ROWS)


def moment() -> datetime:
    """A time that no commit shares."""
    time.sleep(0.02)
    found = now()
    time.sleep(0.02)
    return found


def insert(database: EmbeddedDatabase, ids: "range | list[int]") -> None:
    with psycopg.connect(database.source_dsn("app"), autocommit=True) as connection:
        for each in ids:
            connection.execute("INSERT INTO ledger VALUES (%s)", [each])


def ids_in(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM ledger ORDER BY id").fetchall()]


def restore_to(database: EmbeddedDatabase, target: RestoreTarget, name: str) -> Handle:
    """All the way to the target, read-only."""
    plan = database.locate(target)
    handle = database.restore(plan, name, now() + timedelta(hours=1), silent)
    database.wait(handle, silent)
    return handle


@pytest.fixture
def name(database: EmbeddedDatabase) -> Iterator[str]:
    """The name of a copy, which is gone after the test."""
    chosen = f"drill-{next(_numbers)}"
    yield chosen
    database.destroy(Handle(chosen, now(), now()))


@pytest.fixture
def damaged(
    database: EmbeddedDatabase, cluster_settings: Settings, history: History
) -> Iterator[EmbeddedDatabase]:
    """The same cluster over a private copy of the store. Its files are links: remove them or `flip_byte`."""
    home = database.cluster.home
    folder = home.root / f"store-{next(_numbers)}"
    shutil.copytree(home.store, folder, symlinks=True, copy_function=os.link)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            database.cluster.account.own(path)
    yield EmbeddedDatabase(database.cluster, DirectoryStore(folder), cluster_settings)
    shutil.rmtree(folder)


def store_of(database: EmbeddedDatabase) -> Path:
    assert isinstance(database.store, DirectoryStore)
    return database.store.root


def flip_byte(path: Path, position: int) -> None:
    """In a file of its own, whatever else is linked to this one."""
    contents = bytearray(path.read_bytes())
    contents[position] ^= 0xFF
    own = path.stat()
    path.unlink()
    path.write_bytes(contents)
    path.chmod(own.st_mode)
    os.chown(path, own.st_uid, own.st_gid)


def until(condition: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _execute(database: EmbeddedDatabase, role: str, statement: LiteralString) -> str:
    with psycopg.connect(database.source_dsn(role), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return str(row[0]) if row else ""


_numbers = itertools.count(1)
