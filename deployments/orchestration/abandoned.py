"""Runs that a worker took, and then ended before it began them. The next worker of that place says so.

Otherwise they would keep the slot of their deployment until an automation ends them, minutes later. For work
pools of processes only: those end with their worker, while a container or a task that it had started goes on.
"""

import asyncio
from collections.abc import Set
from datetime import datetime

import structlog
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, WorkerStatus

from api.core.clock import system_clock
from flows import unbegun
from flows.away import AWAY

TAKEN_BY = "prefect.worker.name"
MESSAGE = "The worker that had taken it ended before it began. Nothing of it was done: run it again."
_log = structlog.get_logger("worker")


def end_abandoned(pool: str, name: str | None) -> None:
    """Before the worker `name` of the pool begins to take runs. Without a Prefect that answers the automation
    does it, minutes later."""
    try:
        for said in asyncio.run(end_taken_before(system_clock(), pool, name)):
            _log.warning(said)
    except AWAY as error:
        _log.warning("Prefect is away: runs that nobody began are left", kind=type(error).__name__)


async def end_taken_before(start: datetime, pool: str, name: str | None) -> list[str]:
    """What was done, a sentence each."""
    async with get_client() as client:
        runs = await unbegun.taken(client, start, pool)
        if not runs:
            return []
        workers = await client.read_workers_for_work_pool(pool)
        alive = {one.name for one in workers if one.status is WorkerStatus.ONLINE} - {name}
        return [await unbegun.end(client, run, MESSAGE) for run in runs if abandoned(run, alive)]


def abandoned(run: FlowRun, alive: Set[str]) -> bool:
    """Whether the worker that took it is none of those alive. Until a worker says that it was it, it may have
    been any."""
    taker = run.labels.get(TAKEN_BY)
    return taker not in alive if taker else not alive
