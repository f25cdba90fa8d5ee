"""`firstuser deploy` and the embedded stack's bootstrap: work pool, automations, schedules, deployments."""

import asyncio
import os
import sys
import time
from collections.abc import Set
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
from prefect.cli import app as prefect_cli
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from api.core.errors import TimedOut
from api.providers.hosting.loopback import ask
from api.settings import DeploySettings
from deployments.orchestration.automations import ensure_automations
from deployments.orchestration.pools import Pool, ensure_pool
from deployments.orchestration.prefect_file import check_variables, unscheduled, without_schedules

REPOSITORY = Path(__file__).resolve().parents[2]
PREFECT_FILE = REPOSITORY / "prefect.yaml"
SERVER_TIMEOUT_S = 180


def deploy(pool: Pool, chosen: str) -> None:
    """Everything in order; `chosen` is FIRSTUSER_SCHEDULES. Ends the process, with Prefect's exit code.

    Raises `Refused` for what is wrong with the settings, `TimedOut` when no server answers."""
    os.environ["FIRSTUSER_WORK_POOL"] = pool.name
    text = PREFECT_FILE.read_text()
    check_variables(text, os.environ)
    left_out = unscheduled(text, chosen)
    await_server()
    asyncio.run(prepare(pool, left_out))
    _prefect_deploy(without_schedules(text, left_out))


def configured_pool(settings: DeploySettings) -> Pool:
    """Of the settings FIRSTUSER_WORK_POOL…"""
    if settings.work_pool_type == "process":
        made = Pool.of_processes(settings.work_pool, REPOSITORY)
        return replace(made, job_defaults=settings.job_defaults)
    return Pool(settings.work_pool, settings.work_pool_type, job_defaults=settings.job_defaults)


async def prepare(pool: Pool, left_out: Set[str]) -> None:
    """What the deployments refer to; and away with the schedules that are `left_out`."""
    async with get_client() as client:
        await ensure_pool(client, pool)
        await ensure_automations(client)
        await _drop_schedules(client, left_out)


async def _drop_schedules(client: PrefectClient, names: Set[str]) -> None:
    """A file that says nothing of a schedule leaves it as it is."""
    if not names:
        return
    for deployment in await client.read_deployments():
        if deployment.name in names:
            for schedule in deployment.schedules:
                await client.delete_deployment_schedule(deployment.id, schedule.id)


def _prefect_deploy(text: str) -> None:
    os.chdir(REPOSITORY)
    with NamedTemporaryFile("w", prefix="prefect-", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file.name]
        prefect_cli()


def await_server(timeout_s: float = SERVER_TIMEOUT_S) -> None:
    """By a bare request: Prefect's own client would keep a core busy with its attempts."""
    url = PREFECT_API_URL.value()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if _answers(f"{url}/health"):
                return
        time.sleep(0.2)
    raise TimedOut(
        f"No Prefect server answers at {url}.",
        provider="prefect",
        operation="deploy",
        fix="Start it, and look at FIRSTUSER_PREFECT_API_URL.",
    )


def _answers(url: str) -> bool:
    if url.startswith("https://"):
        return httpx.get(url, timeout=5).is_success
    return ask(url, timeout_s=5).is_success
