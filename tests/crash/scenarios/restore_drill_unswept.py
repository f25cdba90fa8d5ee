"""A drill killed with nobody to put anything right: what the harness has to notice."""

from tests.crash.scenarios.restore_drill import OutsideWorld, RestoreDrill


class Unswept(RestoreDrill):
    def next_run(self) -> None:
        """Nobody comes."""

    def wrong(self) -> list[str]:
        found = super().wrong()
        world = OutsideWorld()
        world.copies.clear()
        with world.external("forgotten"):
            world.staging, world.staging_copy = "own", None
        return found


SCENARIO = Unswept()
