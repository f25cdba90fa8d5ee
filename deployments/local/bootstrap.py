"""Prefect as this project needs it: work pool, deployments of `prefect.yaml` with their limits, automations.

Idempotent, and leaves alone what ops changed by hand: paused schedules stay paused. Run by `up` as a process
of its own (`python -m deployments.local.bootstrap`), because importing Prefect takes seconds.
"""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Set
from contextlib import suppress
from datetime import timedelta
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
from prefect.cli import app as prefect_cli
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.workers.process import ProcessWorker

from api.core.errors import FirstUserError, TimedOut
from api.providers.hosting.loopback import ask
from api.settings import StackSettings, named_file
from deployments.local.layout import REPOSITORY
from deployments.local.prefect import WORK_POOL
from deployments.orchestration.prefect_file import check_variables, unscheduled, without_schedules

PREFECT_FILE = REPOSITORY / "prefect.yaml"
SERVER_TIMEOUT_S = 180
ZOMBIE_AUTOMATION = "crashed-when-silent"
ZOMBIE_AFTER = timedelta(seconds=90)


def main() -> None:
    os.environ.setdefault("FIRSTUSER_WORK_POOL", WORK_POOL)
    text, chosen = PREFECT_FILE.read_text(), StackSettings.read(named_file()).schedules
    try:
        check_variables(text, os.environ)
        left_out = unscheduled(text, chosen)
        await_server()
        asyncio.run(prepare(left_out))
        deploy(without_schedules(text, left_out))
    except FirstUserError as error:
        sys.exit(str(error))


async def prepare(left_out: Set[str]) -> None:
    """Everything that the deployments refer to; and away with the schedules that are `left_out`."""
    async with get_client() as client:
        await _work_pool(client)
        await _zombie_automation(client)
        await _drop_schedules(client, left_out)


async def _drop_schedules(client: PrefectClient, names: Set[str]) -> None:
    """A file that says nothing of a schedule leaves it as it is."""
    if not names:
        return
    for deployment in await client.read_deployments():
        if deployment.name in names:
            for schedule in deployment.schedules:
                await client.delete_deployment_schedule(deployment.id, schedule.id)


def deploy(text: str) -> None:
    """`prefect deploy --all`, without questions. `text`: the file. Ends the process."""
    os.chdir(REPOSITORY)
    with NamedTemporaryFile("w", prefix="prefect-", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file.name]
        prefect_cli()


def await_server() -> None:
    """By a bare request: Prefect's own client would keep a core busy with its attempts."""
    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if ask(f"{PREFECT_API_URL.value()}/health", timeout_s=5).is_success:
                return
        time.sleep(0.2)
    raise TimedOut("The Prefect server does not answer.", provider="prefect", operation="bootstrap")


async def _work_pool(client: PrefectClient) -> None:
    template = job_template()
    try:
        await client.read_work_pool(WORK_POOL)
        await client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))
    except ObjectNotFound:
        pool = WorkPoolCreate(
            name=WORK_POOL,
            type=ProcessWorker.type,
            base_job_template=template,
            description="Flow runs as processes on this machine.",
        )
        await client.create_work_pool(pool)


def job_template() -> dict[str, Any]:
    """The process worker's own, with our command: each run is tied to its worker's life."""
    template = ProcessWorker.get_default_base_job_template()
    variables = template["variables"]["properties"]
    variables["command"]["default"] = shlex.join([sys.executable, "-m", "deployments.local.flow_run"])
    variables["working_dir"]["default"] = str(REPOSITORY)
    return template


async def _zombie_automation(client: PrefectClient) -> None:
    wanted = zombie_automation()
    known = await client.read_automations_by_name(ZOMBIE_AUTOMATION)
    if not known:
        await client.create_automation(wanted)
    for found in known:
        if _expected(found) != _expected(wanted):  # an older release's; switched off, it stays so
            wanted.enabled = found.enabled
            await client.update_automation(found.id, wanted)


def _expected(automation: AutomationCore) -> set[str]:
    return automation.trigger.expect if isinstance(automation.trigger, EventTrigger) else set()


def zombie_automation() -> AutomationCore:
    """A run whose process and worker were killed reports nothing: silence for `ZOMBIE_AFTER` is a crash.

    Whatever the run says counts, by whatever name: a suspended one ends its process, and is no crash."""
    return AutomationCore(
        name=ZOMBIE_AUTOMATION,
        description="Marks flow runs as crashed whose heartbeat has stopped.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE_AFTER,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"No sign of life for {ZOMBIE_AFTER.total_seconds():.0f} seconds: "
                "the run's process is gone. The clean-up flow undoes what it left.",
            )
        ],
    )


if __name__ == "__main__":
    main()
