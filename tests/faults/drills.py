"""Drills in which one part is broken, and what they came to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.beacons import write_beacon, write_fingerprint
from api.core.drills.records import DrillStatus, DrillSummary
from api.core.drills.undo import sweep
from api.db.engine import Engine, session_scope
from tests.crash.world import HOME, World, carry_out, drilling


def beat(engine: Engine, *ages_s: float) -> None:
    """Beacons of so long ago, in the order given, and a fingerprint."""
    for age in ages_s:
        with session_scope(engine) as session:
            write_beacon(session, "ada", system_clock() - timedelta(seconds=age))
    with session_scope(engine) as session:
        write_fingerprint(session, system_clock() - timedelta(seconds=max(ages_s)))


def drill(world: World, target: str = "latest", **parts: Any) -> DrillSummary:
    """Carry one out with these `parts` of a `Drilling` in place of the world's."""
    drill_id = carry_out(replace(drilling(world), **parts), target=target)
    with session_scope(world.engine) as session:
        return service.get(session, drill_id)


def told(found: DrillSummary) -> str:
    """The cause as the reader of a drill that is not green sees it."""
    assert found.status in {DrillStatus.FAILED, DrillStatus.ERROR}
    assert found.next_step
    return " ".join(found.issues)


def nothing_is_left(world: World, **parts: Any) -> bool:
    home = (world.staging, world.staging_copy) == (HOME, None)
    return home and not world.copies and sweep(replace(drilling(world), **parts)) == []
