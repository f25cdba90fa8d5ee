"""Housekeeping: undo what interrupted runs left behind; drop what nobody can use any more."""

from asyncio import to_thread
from datetime import timedelta

from prefect import flow

from api.core.access import codes, starts
from api.core.clock import system_clock
from api.core.drills import service, undo
from api.core.errors import Conflict
from api.core.founders import login
from api.core.idempotency import service as idempotency
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


@flow(name="prune", flow_run_name="prune", persist_result=False)
async def prune() -> dict[str, int]:
    """Drop access codes, waiting list starts, idempotency keys and login codes that ended long ago."""
    return await to_thread(prune_now)


def prune_now() -> dict[str, int]:
    """How many rows of each went."""
    now, gone = system_clock(), dict[str, int]()
    ended = {
        "codes": codes.forget,
        "starts": starts.forget,
        "keys": idempotency.forget,
        "logins": login.forget,
    }
    for name, forget in ended.items():
        with wiring.transaction() as session:
            gone[name] = forget(session, now)
    return gone
