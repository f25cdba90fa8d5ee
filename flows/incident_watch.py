"""Incident watch (runbook section 7): evaluate the rollback rules → open an incident → act → see the effect.

Every minute. A late run judges the newest closed minute, as any other; two at once act once.
"""

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed

from api.core.incidents import reading
from flows import artifacts, hooks, watching, wiring
from flows.naming import stamped

COLUMNS = ("rule", "scope", "verdict", "numbers")


@flow(
    name="incident-watch",
    flow_run_name=stamped("incident-watch"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def incident_watch() -> Any:
    """Judge every rollback rule, act for the incidents that are open, see what it did."""
    found = await asyncio.to_thread(watching.watch)
    if found.opened or found.acted or found.seen:
        await publish(found)
    return Completed(message=said(found))


async def publish(found: watching.Watched) -> None:
    """What is to be done, and the verdict of each rule in each scope: the rest is on the Incidents page."""
    with wiring.transaction() as session:
        rows = [one.row() for one in reading.standings(session)]
    text = [f"# Incidents: {said(found)}"]
    text += ["\n".join(f"- **{one}**: `firstuser incidents show {one}`" for one in found.opened)]
    text += [artifacts.table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows])]
    text += [f"Runbook: {artifacts.runbook('alert-incident')}"]
    report = "\n\n".join(part for part in text if part)
    await acreate_markdown_artifact(report, key="incident-watch", description=said(found))


def said(found: watching.Watched) -> str:
    return f"{len(found.opened)} opened, {found.acted} actions, {found.seen} effects seen"
