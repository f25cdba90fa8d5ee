"""PostgreSQL restarted, or not there, in the middle of a drill: of its source, and of the copy."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from api.core.drills.records import DrillStatus
from api.core.ports import Handle, OnProgress, ProviderFact
from api.db.engine import Session, make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.processes import stop_server
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings
from deployments.bench.places import free_port
from tests.api.providers.databases.conftest import History
from tests.crash.world import FakeDatabase, World
from tests.faults.drills import drill, nothing_is_left, told


def restart(cluster: Cluster) -> None:
    cluster.stop()
    cluster.start()


def test_a_source_that_takes_no_connections_is_named(world: World) -> None:
    nowhere = make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")

    @contextmanager
    def source() -> Generator[Session]:
        with session_scope(nowhere) as session:
            yield session

    found = drill(world, source=source)
    assert "The source does not answer" in told(found)
    assert "refused" in told(found)
    assert nothing_is_left(world)


@pytest.mark.parametrize("reading", [1, 2, 3], ids=["the beacons", "what follows the target", "its clock"])
def test_a_source_restarted_while_it_is_read_ends_the_drill_with_that(
    world: World, cluster: Cluster, reading: int
) -> None:
    """Its own rows are in the same server: the verdict is written when that is back."""
    readings: list[int] = []

    @contextmanager
    def source() -> Generator[Session]:
        readings.append(1)
        with session_scope(world.engine) as session:
            session.execute(text("SELECT 1"))
            if len(readings) == reading:
                restart(cluster)
            yield session

    found = drill(world, source=source)
    assert "The source does not answer" in told(found)
    assert nothing_is_left(world)
    assert drill(world).status is DrillStatus.PASSED


def test_a_source_restarted_between_two_readings_costs_nothing(world: World, cluster: Cluster) -> None:
    class Restarting(FakeDatabase):
        def verify(self, handle: Handle) -> list[ProviderFact]:
            restart(cluster)
            return super().verify(handle)

    assert drill(world, database=Restarting(world)).status is DrillStatus.PASSED


class Ended(EmbeddedDatabase):
    """The server of a copy is stopped before, or after, it has replayed."""

    before = True

    def wait(self, handle: Handle, on_progress: OnProgress) -> None:
        if not self.before:
            super().wait(handle, on_progress)
        stop_server(self.cluster.home.drills / handle.name / "data")
        if self.before:
            super().wait(handle, on_progress)


@pytest.mark.parametrize("before", [True, False], ids=["while it replays", "while it is read"])
def test_a_copy_whose_server_ends_is_no_copy(
    database: EmbeddedDatabase, history: History, cluster_settings: Settings, world: World, before: bool
) -> None:
    ended: Any = Ended.from_settings(cluster_settings)
    ended.before = before
    found = drill(world, history.target.isoformat(), database=ended)
    cause = "Recovery stopped before the target" if before else "does not answer"
    assert cause in told(found)
    assert found.status is DrillStatus.FAILED
    assert nothing_is_left(world, database=ended)
