"""Incident watch (runbook section 7): evaluate the rollback rules → open an incident → act → see the effect.

Every minute. A late run judges the newest closed minute, as any other; two at once act once.
"""

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from api.core.incidents import reading
from flows import hooks, watching, wiring
from flows.naming import stamped


@flow(
    name="incident-watch",
    flow_run_name=stamped("incident-watch"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def incident_watch() -> dict[str, Any]:
    """What was opened, done and seen."""
    found = await asyncio.to_thread(watching.watch)
    await publish()
    return dict(watching.told(found))


async def publish() -> None:
    """The verdict of each rule in each scope, under a fixed key."""
    with wiring.transaction() as session:
        table = [one.row() for one in reading.standings(session)]
    if table:
        made = create_table_artifact(key="incident-watch", table=table, description="verdicts")
        await made  # type: ignore[misc]  # awaitable within an async flow, whatever its type says
