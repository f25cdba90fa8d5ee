"""`firstuser serve api` and so on: one process of a deployed service, configured by its environment alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.settings import Settings

app = typer.Typer(help="One process of a deployed service, in the foreground.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="serve")


@app.callback()
def group() -> None:
    """One process of a deployed service, in the foreground. SIGTERM ends it in good order."""


@app.command()
def api(
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Migrate first, where nothing else does before a start.")
    ] = False,
) -> None:
    """The API and its pages, at FIRSTUSER_HOST and PORT."""
    from api.settings import DeploySettings, named_file
    from deployments.serve import serve

    if migrate:  # a process of its own: the migrator would stay in this one's memory
        done = subprocess.run([sys.executable, "-m", "deployments.cli", "migrate"], check=False)
        if done.returncode != 0:
            raise typer.Exit(done.returncode)
    deploy = DeploySettings.read(named_file())
    serve(deploy.host, deploy.port)


@app.command()
def prefect() -> None:
    """A Prefect server, at FIRSTUSER_HOST and PORT, for those who have none."""
    from api.settings import load
    from deployments.orchestration.server import server_environment

    os.environ.update(server_environment(load()))
    os.execv(sys.executable, [sys.executable, "-m", "prefect", "server", "start"])  # noqa: S606 - its own


@app.command()
def dispatcher() -> None:
    """Sends webhooks as they become due. As many as are wanted."""
    from deployments.dispatcher import main

    main()


@app.command()
def beacon() -> None:
    """Writes what restore drills measure by into production's database. One is enough."""
    from deployments.local.beacon import main

    main()


@app.command()
def watcher() -> None:
    """Pages when the API or its database is down. Best beside another provider than theirs."""
    from deployments.watcher import main

    main()


def _nothing_taken_yet(_number: int, _frame: FrameType | None) -> None:
    """Told to end while it still deploys: the next start deploys again."""
    raise SystemExit(0)


@app.command()
def worker(
    deploy: Annotated[bool, typer.Option(help="Tell Prefect of this release's flows first.")] = True,
) -> None:
    """Takes flow runs from FIRSTUSER_WORK_POOL, and looks at readyz for their rule R2 where no file of the
    watcher's is named."""
    from api.settings import load
    from deployments.orchestration.connection import prefect_environment
    from deployments.orchestration.worker import serve_worker

    settings = load()
    os.environ.update(prefect_environment(settings.service))
    if deploy:
        signal.signal(signal.SIGTERM, _nothing_taken_yet)
        subprocess.run([sys.executable, "-m", "deployments.cli", "deploy"], check=True)
    with ExitStack() as beside:
        if settings.incidents.probes_file is None:  # no watcher shares its own with the flows here
            beside.enter_context(_probes(settings))
        code = serve_worker(settings.deploy.work_pool, settings.deploy.work_pool_type)
    raise typer.Exit(code)


def _probes(settings: Settings) -> AbstractContextManager[None]:
    from api.providers import probe_spool
    from deployments import readyz

    url, file = (
        readyz.address(settings.alerts, settings.platform),
        settings.stack.state_dir / probe_spool.NAME,
    )
    return readyz.looking(url, file, settings.alerts.watcher_interval_seconds)
