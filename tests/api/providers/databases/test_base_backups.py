"""Backups are whole or absent, one at a time, chained, and pruned without losing a restore."""

import fcntl
import time
from datetime import timedelta
from typing import Any

import psutil
import psycopg
import pytest

from api.core.errors import Conflict, NotFound, Rejected, TimedOut
from api.core.ports import Progress, RestoreTarget
from api.providers.databases.embedded import base_backups
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.moving import streamed
from api.providers.databases.embedded.provider import EmbeddedDatabase
from tests.api.providers.databases.conftest import History, now, store_of, until


def test_auto_extends_the_chain_by_an_incremental(database: EmbeddedDatabase, history: History) -> None:
    taken = database.take_backup()
    assert taken.kind == "incremental"
    assert taken.verified_at is not None
    assert taken.size_bytes < history.full.size_bytes / 2
    assert taken.id in [record.id for record in database.backups()]


def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the server can be seen at it."""
    command = base_backups.BaseBackups._command  # pyright: ignore[reportPrivateUsage]

    def slow(*asked: Any) -> list[str]:
        return [*command(*asked), "--max-rate=16M"]

    monkeypatch.setattr(base_backups.BaseBackups, "_command", slow)


def test_how_far_it_is_comes_from_the_server(
    database: EmbeddedDatabase, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    seen: list[Progress] = []
    elsewhere: list[Progress] = []
    with streamed(database.source_dsn("admin"), "of another label", elsewhere.append, whole=True):
        taken = database.take_backup("full", seen.append)
    copy = [each for each in seen if each.phase == "copy"]
    assert [each.done for each in copy] == sorted(each.done for each in copy)
    assert 0 < copy[-1].done <= copy[-1].total
    assert copy[-1].total == pytest.approx(taken.restored_bytes, rel=0.5)
    assert seen[len(copy)].phase == "verify"
    assert elsewhere == []


def test_a_second_backup_at_the_same_time_is_refused(database: EmbeddedDatabase, history: History) -> None:
    with (database.cluster.home.incoming / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict):
            database.take_backup()


def test_what_a_killed_backup_left_is_cleared_by_the_next(
    database: EmbeddedDatabase, history: History
) -> None:
    left = database.cluster.home.incoming / "20200101T000000000Z-full"
    left.mkdir()
    (left / "half").touch()
    database.take_backup()
    assert not left.exists()


def test_without_summaries_auto_falls_back_to_a_full_backup(
    database: EmbeddedDatabase, history: History
) -> None:
    summaries = database.cluster.home.data / "pg_wal" / "summaries"
    with psycopg.connect(database.source_dsn("admin"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        database.seal()
        upto = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
        connection.execute("CHECKPOINT")
        query = "SELECT 1 FROM pg_get_wal_summarizer_state() WHERE summarized_lsn >= %s::pg_lsn"
        assert until(lambda: connection.execute(query, upto).fetchone() is not None)
    for path in summaries.iterdir():
        path.unlink()
    with pytest.raises(Rejected, match="summar"):
        database.take_backup("incremental")
    assert database.take_backup().kind == "full"


def test_pruning_keeps_the_target_restorable_and_the_last_good_chain(
    damaged: EmbeddedDatabase, history: History
) -> None:
    """`damaged` is a private copy of the store: nothing is wrong with it here."""
    before = {record.id for record in damaged.backups()}
    assert damaged.prune(now()).backups == ()
    assert damaged.locate(RestoreTarget(history.target))
    removal = damaged.prune(now() + timedelta(days=400))
    kept = {record.id for record in damaged.backups()}
    assert kept == before - {record.id for record in removal.backups}
    newest = max(damaged.backups(), key=lambda record: record.stopped_at)
    assert damaged.restore_points()[-1].id == newest.id
    assert damaged.wal_gaps() == []
    assert all((store_of(damaged) / "wal" / segment.name).exists() is False for segment in removal.segments)


def test_a_backup_stored_half_is_swept(damaged: EmbeddedDatabase, history: History) -> None:
    (store_of(damaged) / "backups" / "20200101T000000000Z-full" / "data.tree").mkdir(parents=True)
    damaged.prune(now())
    assert not (store_of(damaged) / "backups" / "20200101T000000000Z-full").exists()
    assert damaged.store.local_path(data_key(history.full.id)) is not None


def test_an_unknown_backup_is_not_found(database: EmbeddedDatabase, history: History) -> None:
    with pytest.raises(NotFound):
        database.verify_backup("never-taken")


def test_the_source_is_only_pointed_at_by_role(database: EmbeddedDatabase, history: History) -> None:
    assert "firstuser_reader@127.0.0.1" in database.source_dsn("reader")
    assert "token" not in database.source_dsn("reader")


def test_sealing_waits_for_a_stuck_archive_and_says_where_to_look(
    database: EmbeddedDatabase, history: History
) -> None:
    """The archive's folder is taken away for a moment."""
    wal = store_of(database) / "wal"
    away = wal.with_name("wal-away")
    wal.rename(away)
    try:
        with pytest.raises(TimedOut, match=r"postgres\.log"):
            database.seal(timeout_s=0.3)
    finally:
        away.rename(wal)
    time.sleep(0.1)
    database.seal()


def test_after_kill_9_the_server_continues(database: EmbeddedDatabase, history: History) -> None:
    cluster = database.cluster
    server = psutil.Process(int((cluster.home.data / "postmaster.pid").read_text().split()[0]))
    family = [server, *server.children()]
    server.kill()
    psutil.wait_procs(family, timeout=30)  # a dead child that nobody waits for still counts as a server
    cluster.start()
    assert database.seal() > history.target
    assert database.wal_gaps() == []
