"""Runs that a worker took and never began: they keep their deployment's slot until somebody ends them."""

from datetime import datetime
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

AT_ONCE = 200


async def taken(client: PrefectClient, before: datetime, pool: str = "") -> list[FlowRun]:
    """Those taken before then and not begun, of one work pool or of every one."""
    asked = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])),
        expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": before}),
    )
    whose: dict[str, Any] = {}
    if pool:
        whose["work_pool_filter"] = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    found = await client.read_flow_runs(flow_run_filter=asked, limit=AT_ONCE, **whose)
    return [run for run in found if run.state and run.state.timestamp < before]


async def end(client: PrefectClient, run: FlowRun, message: str) -> str:
    """What was done, in a sentence."""
    await client.set_flow_run_state(run.id, Crashed(message=message))
    return f"{run.name} was taken by a worker and never begun: it has crashed"
