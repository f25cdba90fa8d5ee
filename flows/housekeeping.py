"""Housekeeping: undo what interrupted runs left behind; drop beacons that no restore point can reach."""

from asyncio import to_thread
from datetime import timedelta

from prefect import flow

from api.core.clock import system_clock
from api.core.drills import service, undo
from api.core.errors import Conflict
from flows import wiring

BEACON_MARGIN = timedelta(days=1)


@flow(name="sweep", flow_run_name="sweep", persist_result=False)
async def sweep() -> list[str]:
    """Put staging back and destroy copies after a crashed drill. Steps aside while a drill runs.

    Short and asynchronous: as a synchronous flow every minute it would cost a second each.
    """
    return await to_thread(sweep_now)


def sweep_now() -> list[str]:
    """What was undone, a sentence each; nothing when a drill holds the lock."""
    try:
        with wiring.drill_lock(wait_s=0):
            done = undo.sweep(wiring.drilling())
    except Conflict:
        return ["a drill is running: nothing swept"]
    keep = timedelta(days=wiring.settings().drills.backup_retention_days) + BEACON_MARGIN
    with wiring.transaction() as session:
        service.forget_beacons(session, system_clock() - keep)
    return done
