"""Disks that are full for real: under the WAL archive, under a backup on its way, under a drill's copy."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from api.core.drills.records import DrillStatus
from api.core.errors import Refused, TimedOut
from api.providers.databases.embedded import space
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.stores.directory import DirectoryStore
from api.settings import Settings
from deployments.bench.places import free_port
from tests.api.providers.databases.conftest import History
from tests.crash.world import World
from tests.faults.disks import fill, small_disk
from tests.faults.drills import drill, nothing_is_left, told

SEGMENT = 16 * 1024 * 1024


@pytest.fixture
def archiving_on(cluster_settings: Settings) -> Iterator[EmbeddedDatabase]:
    """A cluster of its own that archives into a small disk."""
    state = Path(tempfile.mkdtemp(prefix="firstuser-"))
    state.chmod(0o755)
    disk = state / "disk"
    disk.mkdir()
    stack = cluster_settings.stack.model_copy(update={"state_dir": state, "postgres_port": free_port()})
    store = cluster_settings.store.model_copy(update={"url": disk.as_uri()})
    settings = replace(cluster_settings, stack=stack, store=store)
    cluster = Cluster.from_settings(settings)
    try:
        with small_disk(disk, 120, cluster.account):
            cluster.initialise(durable=False)
            try:
                cluster.start()
                yield EmbeddedDatabase.from_settings(settings)
            finally:
                cluster.stop()
    finally:
        shutil.rmtree(cluster.home.root, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def test_archiving_says_that_its_disk_is_full_and_catches_up(archiving_on: EmbeddedDatabase) -> None:
    wal = archiving_on.cluster.home.state / "disk" / "wal"
    archiving_on.seal()
    filler = fill(wal.parent, SEGMENT // 2)
    with pytest.raises(TimedOut, match="No space left on device"):
        archiving_on.seal(timeout_s=5)
    for _ in range(2):
        switch(archiving_on)
    policy = archiving_on.backup_policy()
    assert not policy.pitr_enabled
    assert "Archiving" in policy.note
    assert all(path.stat().st_size == SEGMENT for path in wal.iterdir()), "half a segment"
    filler.unlink()
    archiving_on.seal()
    numbers = sorted(int(path.name[-8:], 16) for path in wal.iterdir())
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "a segment was lost"
    assert len(numbers) >= 5


def switch(database: EmbeddedDatabase) -> None:
    with psycopg.connect(database.source_dsn("admin"), autocommit=True) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        connection.execute("SELECT pg_switch_wal()")


@pytest.fixture
def looks_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when others fill the disk after the room on it was asked for."""
    plenty: Callable[[Path], int] = lambda _: 1024**4  # noqa: E731 - one line says it
    monkeypatch.setattr(space, "free_bytes", plenty)


def test_a_backup_is_refused_without_room(database: EmbeddedDatabase, history: History) -> None:
    home = database.cluster.home
    with small_disk(home.incoming, 24, database.cluster.account):
        with pytest.raises(Refused, match=str(home.incoming)) as caught:
            database.take_backup("full")
        assert caught.value.code == "not_enough_disk"


@pytest.mark.usefixtures("looks_empty")
def test_a_backup_that_fills_the_disk_leaves_nothing(database: EmbeddedDatabase, history: History) -> None:
    home, before = database.cluster.home, database.backups()
    with small_disk(home.incoming, 24, database.cluster.account):
        with pytest.raises(Refused, match=f"{home.incoming} filled up") as caught:
            database.take_backup("full")
        assert caught.value.fix
        assert [path.name for path in home.incoming.iterdir()] == [".lock"]
    assert database.backups() == before


def test_a_store_that_fills_up_holds_no_half_a_backup(
    database: EmbeddedDatabase, history: History, cluster_settings: Settings, tmp_path: Path
) -> None:
    home = database.cluster.home
    with small_disk(tmp_path, 24, database.cluster.account) as disk:
        elsewhere = EmbeddedDatabase(database.cluster, DirectoryStore(disk), cluster_settings)
        with pytest.raises(Refused, match=f"{disk} filled up"):
            elsewhere.take_backup("full")
        assert [path for path in disk.rglob("*") if path.is_file()] == []
    assert [path.name for path in home.incoming.iterdir() if path.name != ".lock"] == []


@pytest.mark.parametrize("asked", [True, False], ids=["before", "during"])
def test_a_drill_without_room_says_so_and_leaves_nothing(
    database: EmbeddedDatabase, history: History, world: World, request: pytest.FixtureRequest, asked: bool
) -> None:
    if not asked:
        request.getfixturevalue("looks_empty")
    drills = database.cluster.home.drills
    with small_disk(drills, 24, database.cluster.account):
        found = drill(world, history.target.isoformat(), database=database)
        assert str(drills) in told(found), found
        assert found.status is DrillStatus.ERROR, told(found)
        assert "FIRSTUSER_STATE_DIR" in found.next_step
        assert list(drills.iterdir()) == []
    assert nothing_is_left(world, database=database)
