"""The sweep killed in the middle of putting right what a drill had left: the next sweep goes on."""

from datetime import datetime, timedelta

from api.core.drills.runner import DrillRun
from flows import housekeeping
from tests.crash.scenario import run, tasks_of
from tests.crash.scenarios.restore_drill import OutsideWorld, RestoreDrill
from tests.crash.world import begin, drilling


async def _nothing(_before: datetime) -> list[str]:
    return []


class Sweep(RestoreDrill):
    def tasks(self) -> int:
        return tasks_of(housekeeping)

    def before(self) -> None:
        """A drill's process has ended with staging on its copy."""
        super().before()
        use = drilling(OutsideWorld())
        drill = DrillRun(use, begin(use), lambda _: None)
        drill.locate()
        drill.restore(timedelta(0))
        drill.replay()
        drill.promote()
        drill.point_staging()

    def run(self) -> None:
        self._wire()
        housekeeping.end_unbegun = _nothing  # Prefect's own runs are Prefect's, which is not here
        run(housekeeping.sweep)


SCENARIO = Sweep()
