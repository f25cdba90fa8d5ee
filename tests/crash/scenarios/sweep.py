"""The sweep killed in the middle of putting right what a drill had left: the next sweep goes on."""

from datetime import timedelta

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.runner import DrillRun
from api.core.ports import Progress
from flows import housekeeping
from tests.crash.scenario import run, tasks_of, transaction
from tests.crash.scenarios.restore_drill import OutsideWorld, RestoreDrill
from tests.crash.world import CHECKS, drilling


def quiet(_progress: Progress) -> None:
    pass


class Sweep(RestoreDrill):
    def tasks(self) -> int:
        return tasks_of(housekeeping)

    def before(self) -> None:
        """A drill's process has ended with staging on its copy."""
        super().before()
        use = drilling(OutsideWorld())
        with transaction() as session:
            drill_id = service.begin(
                session,
                asked_target="latest",
                trigger="ops",
                flow_run_id=None,
                rto_target=60,
                rpo_target=60,
                check_names=CHECKS,
                now=system_clock(),
            )
        drill = DrillRun(use, drill_id, quiet)
        drill.locate()
        drill.restore(timedelta(0))
        drill.replay()
        drill.promote()
        drill.point_staging()

    def run(self) -> None:
        self._wire()
        run(housekeeping.sweep)


SCENARIO = Sweep()
