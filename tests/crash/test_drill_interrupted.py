"""Kill a drill before and after every external call it makes; the sweep alone puts everything right."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.beacons import write_beacon, write_fingerprint
from api.core.drills.drilling import Drilling
from api.core.drills.records import DrillStatus
from api.core.drills.undo import sweep
from api.core.errors import Rejected
from api.core.evidence import service as evidence
from api.db.engine import Engine, Session, session_scope
from tests.crash.world import HOME, FakeDatabase, Killed, World, carry_out, drilling


@pytest.fixture
def world(engine: Engine) -> World:
    for age in (6, 3):
        with session_scope(engine) as session:
            write_beacon(session, "ada", system_clock() - timedelta(seconds=age))
    with session_scope(engine) as session:
        write_fingerprint(session, system_clock() - timedelta(seconds=5))
    return World(engine)


def status(world: World, drill_id: str) -> DrillStatus:
    with world.transaction() as session:
        return service.get(session, drill_id).status


def test_a_drill_passes_and_leaves_nothing(world: World) -> None:
    use = drilling(world)
    drill_id = carry_out(use)
    with world.transaction() as session:
        drill = service.get(session, drill_id)
    assert drill.status is DrillStatus.PASSED, drill.issues
    assert {c.name for c in drill.checks} >= {
        "canary",
        "digest:entries",
        "live_users",
        "teardown",
        "manifest",
        "tombstones",
    }
    assert (world.staging, world.copies) == (HOME, set())
    assert sweep(use) == []


def calls_of_a_drill() -> int:
    return 13  # held to the truth by the test below


def test_the_number_of_kill_points_is_known(world: World) -> None:
    carry_out(drilling(world))
    assert len(world.calls) == calls_of_a_drill(), world.calls


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, calls_of_a_drill() + 1))
def test_killed_at_any_call_the_sweep_undoes_it(world: World, call: int, after_effect: bool) -> None:
    use = drilling(world)
    world.strike, world.after_effect = call, after_effect
    with pytest.raises(Killed):
        carry_out(use)
    world.reborn()
    sweep(use)
    assert (world.staging, world.staging_copy, world.copies) == (HOME, None, set())
    with world.transaction() as session:
        (drill,) = service.recent(session)
        assert drill.status is DrillStatus.ERROR
        assert "interrupted in phase" in drill.issues[0]
        assert evidence.verify(session, "drills") is None
    assert sweep(use) == []
    assert status(world, carry_out(use)) is DrillStatus.PASSED


def test_a_backup_that_cannot_be_restored_is_a_failed_drill(world: World) -> None:
    class Broken(FakeDatabase):
        def wait(self, handle: object, on_progress: object) -> None:
            raise Rejected(
                "WAL segment 0000000100000000000000A3 is missing.",
                provider="fake",
                operation="replay",
                fix="Take a full backup at once.",
            )

    use = drilling(world)
    broken = Drilling(**{**_fields(use), "database": Broken(world)})
    drill_id = carry_out(broken)
    with world.transaction() as session:
        drill = service.get(session, drill_id)
    assert drill.status is DrillStatus.FAILED
    assert drill.issues == ["WAL segment 0000000100000000000000A3 is missing."]
    assert drill.next_step == "Take a full backup at once."
    assert drill.rto_seconds is None
    assert (world.staging, world.copies) == (HOME, set())


@pytest.mark.parametrize("table", ["grants", "presence", "api_keys", "integrations"])
def test_a_copy_that_lacks_a_table_is_a_failed_drill_and_not_a_crash(world: World, table: str) -> None:
    """As when one drills to a moment after the damage."""
    use = drilling(world)

    def minting(session: Session, integration: str, _now: datetime) -> str:
        session.execute(text("SELECT 1 FROM api_keys WHERE integration_id = :i"), {"i": integration})
        return "key"

    with world.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table} CASCADE"))
    drill_id = carry_out(Drilling(**{**_fields(use), "mint_key": minting}))
    with world.transaction() as session:
        drill = service.get(session, drill_id)
    assert drill.status is DrillStatus.FAILED
    assert any("does not exist" in issue or "no such table" in issue for issue in drill.issues)
    assert (world.staging, world.copies) == (HOME, set())


def test_a_copy_that_does_not_forget_the_deleted_is_never_served(world: World) -> None:
    def failing(_source: Session, copy: Session) -> tuple[int, int, int]:
        copy.execute(text("SELECT 1 FROM no_such_table"))
        return 0, 0, 0

    broken: list[Callable[[Session, Session], tuple[int, int, int]]] = [
        failing,
        lambda _source, _copy: (3, 2, 1),
    ]
    for replay in broken:
        use = Drilling(**{**_fields(drilling(world)), "replay_tombstones": replay})
        drill_id = carry_out(use)
        with world.transaction() as session:
            drill = service.get(session, drill_id)
        assert drill.status is DrillStatus.FAILED
        assert "Deleted people could not be forgotten" in drill.issues[0]
        assert "point" not in world.calls and drill.rto_seconds is None
        assert (world.staging, world.copies) == (HOME, set())
    assert [(c.expected, c.observed) for c in drill.checks if c.name == "tombstones"] == [
        ("3 replayed, 0 are left", "3 replayed, 2 people were back, 1 are left")
    ]


def test_a_kept_copy_survives_the_sweep_until_it_is_released(world: World) -> None:
    use = drilling(world)
    drill_id = carry_out(use, keep=timedelta(hours=1))
    assert status(world, drill_id) is DrillStatus.PASSED
    assert len(world.copies) == 1
    assert sweep(use) == []
    assert len(world.copies) == 1
    with world.transaction() as session:
        service.release_copy(session, drill_id)
    sweep(use)
    assert world.copies == set()


def test_a_copy_that_no_drill_accounts_for_is_destroyed(world: World) -> None:
    world.copies.add("drill-stranger")
    assert sweep(drilling(world)) == ["drill-stranger: destroyed, no drill accounts for it"]
    assert world.copies == set()


def _fields(use: Drilling) -> dict[str, object]:
    return {name: getattr(use, name) for name in Drilling.__dataclass_fields__}
