"""A restore ends exactly at its target, never touches the live archive, and any process can end it."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from api.core.errors import Refused
from api.core.ports import Handle, Progress, RestoreTarget
from api.providers.databases.embedded.processes import postmaster_pid
from api.providers.databases.embedded.provider import EmbeddedDatabase
from tests.api.providers.databases.conftest import (
    History,
    ids_in,
    now,
    restore_to,
    silent,
    store_of,
    until,
)


def data_of(database: EmbeddedDatabase, name: str) -> Path:
    return database.cluster.home.drills / name / "data"


def test_a_time_in_the_incremental_window_is_hit_exactly(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    plan = database.locate(RestoreTarget(history.target))
    assert plan.point.id == history.incremental.id
    assert plan.point.chain == (history.full.id, history.incremental.id)
    handle = restore_to(database, RestoreTarget(history.target), name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.rows))


def test_a_time_before_the_incremental_is_restored_from_the_full_one(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    assert database.locate(RestoreTarget(history.middle)).point.id == history.full.id
    handle = restore_to(database, RestoreTarget(history.middle), name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.middle_rows))


@pytest.mark.parametrize("stored_at", [0, 4_000_000_000])
def test_the_times_in_the_store_decide_nothing(
    damaged: EmbeddedDatabase, history: History, name: str, stored_at: int
) -> None:
    """They are hints: clocks differ, S3 rounds, and copying a store makes everything new."""
    for path in (store_of(damaged) / "wal").iterdir():
        os.utime(path, (stored_at, stored_at))
    handle = restore_to(damaged, RestoreTarget(history.middle), name)
    assert ids_in(damaged.dsn(handle, "reader")) == list(range(history.middle_rows))


def test_an_lsn_names_the_same_moment(database: EmbeddedDatabase, history: History, name: str) -> None:
    handle = restore_to(database, RestoreTarget(history.target, history.target_lsn), name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.rows))


def test_a_moment_with_no_commit_since_the_backup(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    """Recovery has no commit to halt behind and halts before the next one."""
    target = RestoreTarget(history.incremental.stopped_at + timedelta(microseconds=1))
    handle = restore_to(database, target, name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(3 * 20))


def test_the_copy_is_read_only_until_promoted_and_then_takes_writes(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    handle = restore_to(database, RestoreTarget(history.target), name)
    with (
        psycopg.connect(database.dsn(handle, "owner")) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("INSERT INTO ledger VALUES (-1)")
    database.promote(handle)
    database.promote(handle)
    with psycopg.connect(database.dsn(handle, "app")) as connection:
        connection.execute("INSERT INTO ledger VALUES (-1)")
        as_whom = connection.execute("SELECT session_user, current_user").fetchone()
    assert as_whom == ("firstuser_copy", "firstuser_app")


def test_the_logins_of_the_backups_day_end_on_the_copy(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    """They are of before a rotation, or stolen; the copy's own has never been one of production."""
    logins = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname ~ '_(app|copy)'"
    handle = restore_to(database, RestoreTarget(history.target), name)
    database.promote(handle)
    with psycopg.connect(database.dsn(handle, "admin")) as copy:
        assert copy.execute(logins).fetchall() == [("firstuser_copy",)]
    with psycopg.connect(database.source_dsn("admin")) as source:
        assert source.execute(logins).fetchall() == [("firstuser_app",)]
    with pytest.raises(psycopg.OperationalError, match=r"not permitted|authentication"):
        psycopg.connect(database.dsn(handle, "app").replace("firstuser_copy", "firstuser_app"))


def test_every_fact_holds_for_a_good_copy_and_amcheck_finds_nothing(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    handle = restore_to(database, RestoreTarget(history.target), name)
    database.promote(handle)
    assert [fact for fact in database.verify(handle) if not fact.ok] == []
    assert database.amcheck(handle, heap_all_indexed=True).ok


def test_the_copy_never_archives_into_the_live_archive(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    handle = restore_to(database, RestoreTarget(history.target), name)
    database.promote(handle)
    with psycopg.connect(database.dsn(handle, "admin"), autocommit=True) as connection:
        connection.execute("CREATE TABLE only_here (id int)")
        connection.execute("SELECT pg_switch_wal()")
        time.sleep(0.5)
    archived = [path.name for path in (store_of(database) / "wal").iterdir()]
    assert [each for each in archived if each.startswith("00000002")] == []


def test_replaying_by_hard_link_leaves_the_archive_as_it_was(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (store_of(database) / "wal").iterdir()}

    before = contents()
    handle = restore_to(database, RestoreTarget(history.target), name)
    database.promote(handle)
    with psycopg.connect(database.dsn(handle, "admin"), autocommit=True) as connection:
        connection.execute("CREATE TABLE filler AS SELECT g FROM generate_series(1, 200000) g")
        connection.execute("CHECKPOINT")
    after = contents()
    assert {each: after[each] for each in before} == before


def test_progress_tells_how_far_replay_is(database: EmbeddedDatabase, history: History, name: str) -> None:
    seen: list[Progress] = []
    plan = database.locate(RestoreTarget(history.middle))
    handle = database.restore(plan, name, now() + timedelta(hours=1), seen.append)
    database.wait(handle, seen.append)
    replay = [each for each in seen if each.phase == "replay"]
    assert replay[-1].done == replay[-1].total > 0
    assert all(each.done <= each.total for each in replay)


def test_the_same_name_and_target_again_adopts_the_copy(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    first = restore_to(database, RestoreTarget(history.target), name)
    pid = postmaster_pid(data_of(database, name))
    second = restore_to(database, RestoreTarget(history.target), name)
    assert postmaster_pid(data_of(database, name)) == pid
    assert second.details == first.details
    assert second.expires_at > first.expires_at


def test_the_same_name_with_another_target_replaces_the_copy(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    restore_to(database, RestoreTarget(history.target), name)
    handle = restore_to(database, RestoreTarget(history.middle), name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.middle_rows))


_RESTORING = """
import os, signal, sys
from datetime import datetime, timedelta, UTC
from dataclasses import replace
from pathlib import Path
from api.core.ports import RestoreTarget
from api.providers.databases.embedded import copies
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import load
state, port, name, target, die = sys.argv[1:]
settings = load()
settings = replace(settings, stack=settings.stack.model_copy(
    update={"state_dir": Path(state), "postgres_port": int(port)}))
database = EmbeddedDatabase.from_settings(settings)
def suicide(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if die == "before-start":
    copies.start_copy = suicide
plan = database.locate(RestoreTarget(datetime.fromisoformat(target)))
database.restore(plan, name, datetime.now(UTC) + timedelta(hours=1), lambda _: None)
suicide()
"""


def killed_restore(database: EmbeddedDatabase, history: History, name: str, when: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _RESTORING,
            str(database.cluster.home.state),
            str(database.cluster.port),
            name,
            history.target.isoformat(),
            when,
        ],
        check=False,
        env=os.environ,
    )
    assert done.returncode == -signal.SIGKILL


def test_a_copy_outlives_its_killed_restorer_and_is_adopted(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    killed_restore(database, history, name, "after-start")
    pid = postmaster_pid(data_of(database, name))
    assert pid is not None
    handle = restore_to(database, RestoreTarget(history.target), name)
    assert postmaster_pid(data_of(database, name)) == pid
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.rows))


def test_a_half_made_copy_is_replaced(database: EmbeddedDatabase, history: History, name: str) -> None:
    killed_restore(database, history, name, "before-start")
    assert [each.name for each in database.orphans(now())] == [name]
    handle = restore_to(database, RestoreTarget(history.target), name)
    assert ids_in(database.dsn(handle, "reader")) == list(range(history.rows))


def test_any_process_finds_and_destroys_the_copy_without_a_trace(
    database: EmbeddedDatabase, history: History, name: str, cluster_settings: object
) -> None:
    killed_restore(database, history, name, "after-start")
    pid = postmaster_pid(data_of(database, name))
    (orphan,) = database.orphans(now())
    assert orphan.name == name
    assert orphan.target_at == history.target
    assert orphan.expires_at > now()
    database.destroy(orphan)
    database.destroy(orphan)
    assert not (database.cluster.home.drills / name).exists()
    assert until(lambda: not Path(f"/proc/{pid}").exists())
    assert database.orphans(now()) == []


def test_a_folder_without_a_marker_is_an_expired_orphan(database: EmbeddedDatabase, name: str) -> None:
    (database.cluster.home.drills / name).mkdir()
    (orphan,) = database.orphans(now())
    assert orphan.expires_at <= now()


def test_a_handle_survives_as_json(database: EmbeddedDatabase, history: History, name: str) -> None:
    plan = database.locate(RestoreTarget(history.target))
    handle = database.restore(plan, name, now() + timedelta(hours=1), silent)
    assert json.loads(json.dumps(handle.details)) == handle.details
    same = Handle(handle.name, handle.target_at, handle.expires_at, json.loads(json.dumps(handle.details)))
    database.wait(same, silent)
    assert "password" not in database.dsn(same, "app").lower()


@pytest.mark.parametrize("bad", ["../data", "a/b", "", ".x", "Drill-1"])
def test_a_name_cannot_leave_the_folder(database: EmbeddedDatabase, bad: str) -> None:
    with pytest.raises(Refused):
        database.destroy(Handle(bad, now(), now()))
