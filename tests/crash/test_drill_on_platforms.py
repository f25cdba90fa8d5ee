"""Kill a drill at what it asks of the platform that hosts staging; the sweep alone brings staging home."""

from dataclasses import replace

import pytest

from api.core.drills import service
from api.core.drills.drilling import Drilling
from api.core.drills.records import DrillStatus
from api.core.drills.undo import sweep
from tests.api.providers.hosting.killing import Killed, killed_after
from tests.api.providers.hosting.worlds import WORLDS
from tests.api.providers.hosting.worlds import World as Platform
from tests.api.providers.hosting.worlds import world as platform
from tests.crash.test_drill_interrupted import world
from tests.crash.world import World, carry_out, drilling
from tests.platforms.staging import OTHERS

__all__ = ["world"]

STRIDES = {"ecs": 29}  # which takes many requests for one look
STRIDE = 11


def is_home(at: Platform, world: World) -> bool:
    left = [name for name, value in at.staging.variables.items() if "RESTORED" in name and value]
    return not left and not world.copies and at.staging.variables.items() >= OTHERS.items()


def dies(use: Drilling, turn: int) -> bool:
    try:
        with killed_after(turn):
            carry_out(use)
    except Killed:
        return True
    return False


@pytest.mark.parametrize("name", WORLDS)
def test_the_next_run_brings_staging_home(name: str, world: World) -> None:
    with platform(name) as at:
        use = replace(drilling(world), hosting=at.hosting, wait_timeout_s=60)
        turn, stride = 1, STRIDES.get(name, STRIDE)
        while dies(use, turn):
            sweep(use)
            assert is_home(at, world), f"killed after request {turn}"
            assert sweep(use) == []
            turn += stride
        assert turn > 2 * stride
        with world.transaction() as session:
            newest, *killed = service.recent(session)
        assert newest.status is DrillStatus.PASSED, newest.issues
        assert killed and all(one.status is DrillStatus.ERROR for one in killed)
        assert is_home(at, world)


def test_a_drill_whose_staging_was_deployed_over_does_not_pass(world: World) -> None:
    """Where variables belong to the deploy, somebody else's takes the copy away."""
    with platform("ecs") as at:
        hosting = at.hosting
        wait = hosting.wait_live

        def overtaken(service: str, deploy_id: str, timeout_s: float) -> object:
            if at.fake.parameters:
                at.fake.push("1.2")
            return wait(service, deploy_id, timeout_s)

        hosting.wait_live = overtaken  # type: ignore[method-assign, assignment]
        use = replace(drilling(world), hosting=hosting, wait_timeout_s=5)
        carry_out(use)
        with world.transaction() as session:
            (newest,) = service.recent(session)
        assert newest.status is not DrillStatus.PASSED
        assert is_home(at, world)
