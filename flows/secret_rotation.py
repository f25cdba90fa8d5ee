"""Secret rotation (runbook section 5): plan → confirm → rotate → retire what is past its grace → proof.

Weekly on a planned window for what is due, at any time for secrets that an incident names. Names and version
numbers pass through here, never a value. The machine is `api.core.rotation`; what a run says is composed in
`rotation_run`.
"""

from asyncio import to_thread
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from api.core.clock import system_clock
from api.core.errors import Refused
from flows import hooks, rotation_run
from flows.reporting import publish_rotation_plan, publish_rotation_proof
from flows.stepping import stepping

Mode = Literal["scheduled", "incident", "finish"]
Name = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_:]+$")]
CONFIRMATION_WAITS_S = 3600


class Confirmation(RunInput):
    """The old versions end at once: who used one of late and has no new one is cut off."""

    end_the_old_ones_now: bool
    name: Annotated[str, Field(min_length=1, max_length=100, description="Your name, for the record")]


def run_name() -> str:
    """`rotation/2026-11-22-0300-scheduled`."""
    asked: dict[str, Any] = flow_run.get_parameters()
    return f"rotation/{system_clock():%Y-%m-%d-%H%M}-{asked.get('mode', 'scheduled')}"


@flow(
    name="secret-rotation",
    flow_run_name=run_name,
    persist_result=False,
    on_failure=[hooks.trouble_unless_answered],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def secret_rotation(
    mode: Mode = "scheduled",
    names: Annotated[list[Name], Field(max_length=200)] = [],  # noqa: B006 - Prefect reads it as a default
    reason: Annotated[str, Field(max_length=500)] = "",
    confirmed: bool = False,
) -> Any:
    """Rotate secrets by overlap, prove the new ones, and prove the old ones dead.

    Args:
        mode: `scheduled` rotates what is due, or what is named; `incident` ends the named ones' old versions
            at once; `finish` goes on with what is under way and retires what is past its grace.
        names: As `firstuser rotate plan` lists them. Never a value.
        reason: Why, for the record. An incident needs one.
        confirmed: Said already that an incident's old versions may end now; otherwise the run asks.
    """
    if mode == "incident" and not (names and reason.strip()):
        raise Refused("An incident names its secrets and says why.", fix="Give `names` and `reason`.")
    plan = await to_thread(rotation_run.plan, mode, names)
    await publish_rotation_plan(plan)
    if mode == "incident" and not confirmed:
        said = await suspend_flow_run(  # type: ignore[misc]  # awaitable within an async flow
            wait_for_input=Confirmation, timeout=CONFIRMATION_WAITS_S, key="confirmation"
        )
        if not said.end_the_old_ones_now:
            return Completed(name="Declined", message=f"{said.name} said no: nothing was rotated")
        reason = f"{reason} (confirmed by {said.name})"
    begun = [await rotate(one, mode, reason) async for one in stepping(plan.names, "secrets")]
    finished = await to_thread(rotation_run.finish)
    outcome = await to_thread(rotation_run.outcome, begun, finished)
    await publish_rotation_proof(outcome)
    get_run_logger().info(outcome.headline)
    if outcome.stuck:
        return Failed(name="NOT PROVEN", message=outcome.headline)
    return Completed(message=outcome.headline)


@task(name="rotate", task_run_name="rotate {name}", persist_result=False)
async def rotate(name: str, mode: Mode, reason: str) -> str:
    """The rotation's id; "" when it was refused, which is on record in the run's log."""
    rotation_id, said = await to_thread(rotation_run.rotate, name, mode, reason, flow_run.get_id())
    get_run_logger().info(said)
    return rotation_id
