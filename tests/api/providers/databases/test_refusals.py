"""What cannot be restored is refused before anything is created, with what to do instead."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from api.core.backups.wal import parse_segment
from api.core.errors import Refused
from api.core.ports import RestoreTarget
from api.providers.databases.embedded import space
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings
from tests.api.providers.databases.conftest import History, ids_in, now, restore_to, store_of


def refusal(database: EmbeddedDatabase, target: RestoreTarget) -> Refused:
    with pytest.raises(Refused) as caught:
        database.locate(target)
    assert caught.value.fix
    assert database.orphans(now()) == []
    return caught.value


def test_the_future(database: EmbeddedDatabase, history: History) -> None:
    assert refusal(database, RestoreTarget(now() + timedelta(hours=1))).code == "target_in_future"


def test_before_the_first_base_backup_ended(database: EmbeddedDatabase, history: History) -> None:
    """PostgreSQL itself would not complain: it opens later than it was asked to."""
    found = refusal(database, RestoreTarget(history.before))
    assert found.code == "target_before_first_restore_point"
    while_it_ran = history.full.started_at + (history.full.stopped_at - history.full.started_at) / 2
    assert refusal(database, RestoreTarget(while_it_ran)).code == found.code
    assert refusal(database, RestoreTarget(history.middle, "0/1000028")).code == found.code


def test_no_backup_at_all(damaged: EmbeddedDatabase, history: History) -> None:
    shutil.rmtree(store_of(damaged) / "backups")
    found = refusal(damaged, RestoreTarget(history.target))
    assert found.code == "no_backup"
    assert "firstuser backups take" in found.fix


def test_inside_a_wal_gap(damaged: EmbeddedDatabase, history: History) -> None:
    """Between the full backup and the incremental; both ends remain restorable."""
    wal = store_of(damaged) / "wal"
    names = sorted(path.name for path in wal.iterdir() if parse_segment(path.name))
    lost = [
        name
        for name in names
        if history.full.stop_segment.name < name < history.incremental.first_segment.name
    ]
    for each in lost:
        (wal / each).unlink()
    assert [gap.missing for gap in damaged.wal_gaps()] == [len(lost)]
    found = refusal(damaged, RestoreTarget(history.middle))
    assert found.code == "target_in_wal_gap"
    assert "full backup" in found.fix
    assert damaged.locate(RestoreTarget(history.target)).point.id == history.incremental.id


def test_after_what_is_stored_when_the_server_cannot_help(
    damaged: EmbeddedDatabase, history: History
) -> None:
    """The newest segments are lost from the store, so nothing proves that the target is reachable."""
    wal = store_of(damaged) / "wal"
    for path in wal.iterdir():
        if path.name > history.incremental.stop_segment.name:
            path.unlink()
    found = refusal(damaged, RestoreTarget(history.target))
    assert found.code == "target_not_archived"


def test_a_moment_just_passed_is_made_reachable(
    database: EmbeddedDatabase, history: History, name: str
) -> None:
    """Nothing was committed after it: the server is asked to finish its segment."""
    with psycopg.connect(database.source_dsn("owner"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS ledger (id int PRIMARY KEY)")
    target = RestoreTarget(now())
    handle = restore_to(database, target, name)
    assert ids_in(database.dsn(handle, "reader")) == []
    with psycopg.connect(database.source_dsn("owner"), autocommit=True) as connection:
        connection.execute("DROP TABLE ledger")


def test_not_enough_disk(
    database: EmbeddedDatabase, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    few: Callable[[Path], int] = lambda _: 10 * 1024**2  # noqa: E731 - one line says it
    monkeypatch.setattr(space, "free_bytes", few)
    found = refusal(database, RestoreTarget(history.target))
    assert found.code == "not_enough_disk"
    assert "10 MB free" in found.message
    with pytest.raises(Refused, match="full backup"):
        database.take_backup("full")


def test_a_restore_point_is_listed_with_its_window(
    database: EmbeddedDatabase, history: History, cluster_settings: Settings
) -> None:
    points = {point.id: point for point in database.restore_points()}
    full, incremental = points[history.full.id], points[history.incremental.id]
    assert full.earliest < incremental.earliest < history.target
    assert incremental.latest is not None and incremental.latest > history.target
    assert full.verified_at is not None
    policy = database.backup_policy()
    assert policy.pitr_enabled
    assert policy.retention_days == 14
    assert policy.latest_restorable is not None
