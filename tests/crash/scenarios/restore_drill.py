"""A drill killed anywhere: the sweep alone brings staging home and leaves no copy."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from api.core.clock import system_clock
from api.core.drills import undo
from api.core.drills.beacons import write_beacon, write_fingerprint
from flows import housekeeping, restore_drill, wiring
from tests.crash.points import POINTS
from tests.crash.scenario import broken_chains, engine, run, state, tasks_of, transaction, wire
from tests.crash.world import CHECKS, HOME, World, drilling


class OutsideWorld(World):
    """What is outside outlives a process: it is in a file."""

    def __init__(self) -> None:
        super().__init__(engine())
        if self._file.exists():
            found = json.loads(self._file.read_text())
            self.copies, self.staging, self.staging_copy = (
                set(found["copies"]),
                found["staging"],
                found["staging_copy"],
            )

    @property
    def _file(self) -> Path:
        return state() / "outside.json"

    @contextmanager
    def external(self, name: str) -> Generator[None]:
        POINTS.at(f"{name}: before")
        yield
        self.calls.append(name)
        kept = {"copies": sorted(self.copies), "staging": self.staging, "staging_copy": self.staging_copy}
        self._file.write_text(json.dumps(kept))
        POINTS.at(f"{name}: after")


class RestoreDrill:
    def tasks(self) -> int:
        return tasks_of(restore_drill)

    def before(self) -> None:
        for age in (6, 3):
            with transaction() as session:
                write_beacon(session, "ada", system_clock() - timedelta(seconds=age))
        with transaction() as session:
            write_fingerprint(session, system_clock() - timedelta(seconds=5))

    def watch(self) -> None:
        """The world's own calls are."""

    def run(self) -> None:
        self._wire()
        ended = run(restore_drill.restore_drill, checks=CHECKS, trigger="cli", rpo_target=3600)
        assert ended.is_completed(), ended.message

    def next_run(self) -> None:
        self._wire()
        housekeeping.sweep_now()

    def wrong(self) -> list[str]:
        world = OutsideWorld()
        found = [f"copies are left: {sorted(world.copies)}"] if world.copies else []
        found += [f"staging points at {world.staging}"] if world.staging != HOME else []
        found += [f"still to undo: {one}" for one in undo.sweep(drilling(world))]
        with transaction() as session:
            going_on = session.scalar(text("select count(*) from ops.drills where status = 'running'"))
        found += [f"{going_on} drills go on for ever"] if going_on else []
        return found + broken_chains("drills")

    def _wire(self) -> None:
        world = OutsideWorld()
        wire(source=transaction, drilling=lambda: drilling(world))
        wiring.drill_run.cache_clear()


SCENARIO = RestoreDrill()
