"""Housekeeping: undo what interrupted runs left behind; drop what nobody can use any more."""

from asyncio import to_thread
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
)
from prefect.states import Completed

from api.core.access import codes, starts
from api.core.alerts import service as alerts
from api.core.clock import system_clock
from api.core.drills import service, undo
from api.core.errors import Conflict, Refused
from api.core.founders import login
from api.core.idempotency import service as idempotency
from api.core.webhooks import retention
from flows import artifacts, hooks, preflight_tenant, unbegun, wiring
from flows.naming import stamped

BEACON_MARGIN = timedelta(days=1)
RUNS_KEPT = timedelta(days=2)
MINUTELY = ("webhook-retries", "alerts", "sweep", "incident-watch")
MOST_RUNS = 10_000
MOST_SAID = 500
UNBEGUN_AFTER = timedelta(minutes=8)
BUSY = "a drill is running: nothing swept"
NO_DRILL = "no drill was ever begun"
KEPT = {
    "codes": codes.KEPT,
    "starts": starts.KEPT,
    "keys": idempotency.KEPT,
    "logins": login.KEPT,
    "webhooks": retention.KEEP,
    "alerts": alerts.KEPT,
    "runs": RUNS_KEPT,
}
"""What is pruned, and how long after its end."""
_RUNS_AT_ONCE = 200


@flow(
    name="sweep",
    flow_run_name=stamped("sweep"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def sweep() -> Any:
    """Put staging back and destroy copies after a crashed drill, empty the smoke test's tenant after a
    killed one. Steps aside while a drill runs.

    Short and asynchronous: as a synchronous flow every minute it would cost a second each.
    """
    done = await to_thread(preflight_tenant.sweep) + await to_thread(sweep_now)
    done += await end_unbegun(system_clock() - UNBEGUN_AFTER)
    await artifacts.swept([one for one in done if not one.startswith((BUSY, NO_DRILL))])
    return Completed(message="; ".join(done)[:MOST_SAID] or "nothing to undo")


async def end_unbegun(before: datetime) -> list[str]:
    """Runs that a worker took and never began keep the slot of their deployment. An automation ends them
    after five minutes; this is for those whose events were lost with a server."""
    async with get_client() as client:
        return [
            await unbegun.end(client, run, "A worker took it and never began it.")
            for run in await unbegun.taken(client, before)
        ]


def sweep_now() -> list[str]:
    """What was undone, a sentence each; nothing when a drill holds the lock, or where none was ever begun and
    nothing says yet with whom. Raises `Refused`."""
    try:
        with wiring.drill_lock(wait_s=0):
            done = undo.sweep(wiring.drilling())
    except Conflict:
        return [BUSY]
    except Refused as refused:
        with wiring.transaction() as session:
            if service.recent(session, 1):
                raise
        return [f"{NO_DRILL}: nothing to undo. {refused.message}"]
    keep = timedelta(days=wiring.settings().drills.backup_retention_days) + BEACON_MARGIN
    with wiring.transaction() as session:
        service.forget_beacons(session, system_clock() - keep)
    return done


@flow(
    name="prune",
    flow_run_name=stamped("prune"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def prune() -> Any:
    """Drop what ended long ago: codes, waiting list starts, idempotency keys, login codes, alerts,
    webhooks and their attempts, and the runs of the minutely flows."""
    gone = await to_thread(prune_now)
    gone |= {"runs": await forget_runs(system_clock() - RUNS_KEPT)}
    await artifacts.pruned(gone, KEPT)
    return Completed(message=f"{sum(gone.values())} rows dropped")


async def forget_runs(before: datetime) -> int:
    """How many runs of the flows that run every minute went, with their artifacts: our tables keep what they
    did."""
    gone = 0
    async with get_client() as client:
        while gone < MOST_RUNS:
            runs = await client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=list(MINUTELY))),
                flow_run_filter=FlowRunFilter(
                    end_time=FlowRunFilterEndTime.model_validate({"before_": before, "is_null_": False})
                ),
                limit=_RUNS_AT_ONCE,
            )
            if not runs:
                break
            await _forget_artifacts(client, [run.id for run in runs])
            for run in runs:
                await client.delete_flow_run(run.id)
            gone += len(runs)
    return gone


async def _forget_artifacts(client: PrefectClient, runs: list[UUID]) -> None:
    of_runs = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=runs))
    while found := await client.read_artifacts(artifact_filter=of_runs, limit=_RUNS_AT_ONCE):
        for artifact in found:
            await client.delete_artifact(artifact.id)


def prune_now() -> dict[str, int]:
    """How many rows of each went."""
    now, gone = system_clock(), dict[str, int]()
    ended = {
        "codes": codes.forget,
        "starts": starts.forget,
        "keys": idempotency.forget,
        "logins": login.forget,
        "webhooks": retention.prune,
        "alerts": alerts.forget,
    }
    for name, forget in ended.items():
        with wiring.transaction() as session:
            gone[name] = forget(session, now)
    return gone
