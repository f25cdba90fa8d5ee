"""The minutely drain of webhooks that are due: one run for each window of time, never a task per delivery.

The same code as the dispatcher's, so any number of both may run at once. What a run did is an artifact.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed
from pydantic import Field

from api.core.alerts import service as alerts
from api.core.webhooks import totals
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.core.webhooks.standing import Standing, database_now, standing
from flows import artifacts, hooks, wiring
from flows.naming import stamped

SLICE_S = 40.0
Seconds = Annotated[float, Field(gt=0, le=600)]
BEHIND_AFTER = timedelta(minutes=1)
LOOP = "webhook-retries"
SILENCE = timedelta(minutes=4)
"""It runs every minute; a busy Prefect starts it late."""


@flow(
    name="webhook-retries",
    flow_run_name=stamped("webhook-retries"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def webhook_retries(seconds: Seconds = SLICE_S) -> Any:
    """Send what is due.

    Args:
        seconds: How long at most, up to 600; what is in flight then is settled first.
    """
    ports = wiring.webhook_ports()
    if ports is None:
        return Completed(message="webhooks are not set up here")
    dispatcher = await drain(ports, seconds)
    now, stands = await asyncio.to_thread(conclude, ports, dispatcher)
    if dispatcher.tally["claimed"] or stands.due:
        await publish(dispatcher.tally, stands, now)
    return Completed(message=said(dispatcher.tally, stands))


async def drain(ports: Ports, seconds: float) -> Dispatcher:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    dispatcher = Dispatcher(ports)
    await dispatcher.run(stop, until_empty=True)
    return dispatcher


def conclude(ports: Ports, dispatcher: Dispatcher) -> tuple[datetime, Standing]:
    """The loop does what there is to do now and then, says that it lives, and how the queue stands now."""
    with ports.transaction() as session:
        now = database_now(session)
        ports.tend(session)
        totals.add(session, dispatcher.count.take())
        alerts.beat(session, LOOP, SILENCE, now)
        return now, standing(session, now, ports.may_send(session))


async def publish(tally: Counter[str], stands: Standing, now: datetime) -> None:
    """What this run did, how the queue stands after it, and what somebody has to do about either."""
    did = ("claimed", "delivered", "retried", "slowed", "exhausted")
    oldest = stands.oldest_age(now)
    queue = (stands.due, f"{oldest.total_seconds():.0f} s", stands.held, stands.slowed, stands.disabled)
    text = [
        f"# Webhooks: {said(tally, stands)}",
        artifacts.table(
            ("taken", "delivered", "to be tried again", "put off", "given up"),
            [[tally[name] for name in did]],
        ),
        "What waits after it:",
        artifacts.table(("due", "oldest since", "paused", "slowed down", "switched off"), [queue]),
        "\n".join(f"- {step}" for step in next_steps(tally["exhausted"], stands, oldest)),
    ]
    await acreate_markdown_artifact("\n\n".join(text), key="webhook-retries", description=said(tally, stands))


def next_steps(given_up: int, stands: Standing, oldest: timedelta) -> list[str]:
    """What to do, with the page that says how; nothing to do is said, too."""
    steps = list[str]()
    if given_up:
        page = artifacts.runbook("alert-retries-exhausted")
        steps.append(f"**{given_up} given up** in this run: find out why, mend, send again. {page}")
    if oldest > BEHIND_AFTER:
        page = artifacts.runbook("alert-retry-loop")
        steps.append(
            f"**Behind**: {stands.due} are due, the oldest for {oldest.total_seconds():.0f} s. {page}"
        )
    if stands.held:
        page = artifacts.runbook("alert-incident")
        steps.append(f"{stands.held} wait for a pause to end: resume it where its reason is gone. {page}")
    if stands.disabled:
        page = artifacts.runbook("alert-retries-exhausted")
        steps.append(f"{stands.disabled} wait for their endpoint to be switched on again. {page}")
    return steps or [f"Nothing to do. Runbook: {artifacts.runbook('alert-retry-loop')}"]


def said(tally: Counter[str], stands: Standing) -> str:
    return f"{tally['delivered']} delivered, {stands.due} due"
