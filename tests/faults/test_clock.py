"""Clocks an hour off: of this machine, or of the source while it wrote. No drill passes on the data of
another hour, times of steps do not change, and copies are kept as long as was said."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from api.core.clock import system_clock
from api.core.drills import clocks, service
from api.core.drills.records import DrillStatus
from api.core.drills.undo import sweep
from api.core.ports import BackupPolicy, Handle, OnProgress
from api.core.preflight.judging import alerts, database, people
from api.core.preflight.records import Finding, State
from tests.crash.world import FakeDatabase, World, carry_out, drilling
from tests.faults.drills import beat, drill, nothing_is_left, told

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("step", "way"), [(HOUR, "ahead of"), (-HOUR, "behind")])
def test_a_drill_by_a_clock_that_is_off_is_refused(world: World, step: timedelta, way: str) -> None:
    with time_machine.travel(system_clock() + step):
        found = drill(world)
    assert f"3600 s {way} the source database's" in told(found)
    assert found.status is DrillStatus.ERROR
    assert "NTP" in found.next_step
    assert world.calls == []
    assert nothing_is_left(world)


def test_a_source_whose_clock_was_set_back_is_no_source_for_that_hour(world: World) -> None:
    """It had been ahead: beacons of minutes to come are there already."""
    beat(world.engine, -3300, -3305)
    beat(world.engine, 2, 1)
    found = drill(world)
    assert "clock: " in told(found)
    assert nothing_is_left(world)


def test_a_target_that_came_twice_is_not_drilled_to_green() -> None:
    now = system_clock()
    back = (now - timedelta(minutes=5), now - timedelta(minutes=30))
    found = clocks.steady(now, back, now - timedelta(minutes=20), now)
    assert not found.ok
    assert "came twice" in found.observed
    assert back[0].isoformat() in found.fix
    assert clocks.steady(now, back, back[1] - timedelta(seconds=1), now).ok
    assert clocks.steady(now, None, now, now).ok


@pytest.mark.parametrize(
    ("step", "green"), [(HOUR, True), (-HOUR, False)], ids=["an hour on", "an hour back"]
)
def test_a_clock_set_under_way_changes_no_recovery_time(world: World, step: timedelta, green: bool) -> None:
    travelling: list[time_machine.travel] = []

    class Setting(FakeDatabase):
        def wait(self, handle: Handle, on_progress: OnProgress) -> None:
            travelling.append(time_machine.travel(system_clock() + step))
            travelling[-1].start()

    try:
        found = drill(world, database=Setting(world))
    finally:
        travelling[-1].stop()
    assert (found.status is DrillStatus.PASSED) is green
    assert sum(found.rto_parts.values()) < 600
    assert min(found.rto_parts.values()) >= 0
    assert green or "ahead of this clock" in told(found)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_copy_is_kept_as_long_as_was_said(world: World, step: timedelta) -> None:
    use = drilling(world)
    drill_id = carry_out(use, keep=timedelta(minutes=30))
    off = replace(use, clock=lambda: system_clock() + step)
    assert sweep(off) == []
    assert len(world.copies) == 1, "destroyed by a clock that is ahead"
    with world.transaction() as session:
        service.row(session, drill_id).keep_until = system_clock() - timedelta(seconds=1)
    sweep(use)
    assert world.copies == set(), "kept for ever"


Judge = Callable[[datetime], Finding]
JUDGES: dict[str, Judge] = {
    "wal": lambda at: database.wal(BackupPolicy(True, 14, at), 120, NOW),
    "drill": lambda at: database.drill(database.DrillProof("d", at, 1, 1, "e", True, ""), NOW),
    "dead_man": lambda at: alerts.dead_man(True, at, NOW),
    "rehearsed": lambda at: people.rehearsed(rehearsed(at), "r1", NOW),
}


def rehearsed(at: datetime) -> people.Rehearsed:
    return people.Rehearsed("r", "r1", "r0", at, 1.0, 1.0, "e")


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_a_proof_from_the_future_is_no_proof(judge: Judge) -> None:
    assert judge(NOW - timedelta(seconds=5)).state is State.PASS
    found = judge(NOW + HOUR)
    assert found.state is State.FAIL
    assert "3600 s ahead of this clock" in found.observed
