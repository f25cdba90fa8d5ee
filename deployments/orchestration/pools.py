"""Work pools: where runs happen. The type decides what a run is: a process, a container, a Fargate task.

A run never gets a secret from Prefect. As a process it inherits the worker's environment; as a container it
reads a mounted file (`FIRSTUSER_ENV_FILE`); as a task its definition names the secrets: `job_defaults`.
"""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.schema_tools import validate

from api.core.errors import Conflict, Refused

COMMAND = ("-m", "deployments.orchestration.flow_run")
DESCRIPTIONS = {
    "process": "Flow runs as processes beside their worker.",
    "docker": "Flow runs as containers of their worker's Docker host.",
    "ecs": "Flow runs as Fargate tasks.",
}


@dataclass(frozen=True, slots=True)
class Pool:
    """`working_dir` counts for processes only, `command` is the run's."""

    name: str
    type: str = "process"
    command: tuple[str, ...] = ("python", *COMMAND)
    working_dir: Path | None = None
    job_defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of_processes(cls, name: str, working_dir: Path, module: str = COMMAND[1]) -> "Pool":
        """With this very interpreter."""
        return cls(name, command=(sys.executable, "-m", module), working_dir=working_dir)


async def ensure_pool(client: PrefectClient, pool: Pool) -> None:
    """Create it, or bring its template up to date. Raises `Conflict` where its name has another type."""
    template = job_template(await _stock_template(client, pool.type), pool)
    wanted = WorkPoolCreate(
        name=pool.name,
        type=pool.type,
        base_job_template=template,
        description=DESCRIPTIONS[pool.type],
    )
    try:
        await client.create_work_pool(wanted)
        return
    except ObjectAlreadyExists:
        known = await client.read_work_pool(pool.name)
    if known.type != pool.type:
        raise Conflict(
            f"The work pool {pool.name!r} is of type {known.type}, not {pool.type}.",
            fix="Choose another name in FIRSTUSER_WORK_POOL, or delete that pool.",
        )
    if known.base_job_template != template:
        await client.update_work_pool(pool.name, WorkPoolUpdate(base_job_template=template))


def job_template(stock: dict[str, Any], pool: Pool) -> dict[str, Any]:
    """The type's own, with our command and defaults. Raises `Refused` for a variable that it does not know,
    or with a value that its worker would not take."""
    variables = stock["variables"]["properties"]
    given: dict[str, Any] = {"command": shlex.join(pool.command), **pool.job_defaults}
    if pool.working_dir is not None:
        given["working_dir"] = str(pool.working_dir)
    if unknown := sorted(given.keys() - variables.keys()):
        raise Refused(
            f"Jobs of type {pool.type} know no {', '.join(unknown)} (FIRSTUSER_WORK_POOL_DEFAULTS).",
            fix=f"Use {', '.join(sorted(variables))}.",
        )
    if wrong := validate(given, stock["variables"], ignore_required=True):
        where = ".".join(str(step) for step in wrong[0].absolute_path)
        raise Refused(
            f"Jobs of type {pool.type} do not take this {where}: {wrong[0].message}.",
            fix="Correct FIRSTUSER_WORK_POOL_DEFAULTS.",
        )
    for name, value in given.items():
        variables[name]["default"] = value
    return stock


async def _stock_template(client: PrefectClient, kind: str) -> dict[str, Any]:
    """As the server knows it: the worker's package need not be installed here."""
    for workers in (await client.read_worker_metadata()).values():
        if kind in workers:
            return workers[kind]["default_base_job_configuration"]
    raise ObjectNotFound(LookupError(f"Prefect knows no work pool of type {kind}"))
