"""`firstuser migrate` and `firstuser deploy`: what a release has to do before it serves."""

import os
import sys

import typer

from api.db import migrate as migrations
from api.db.engine import make_engine
from api.settings import Settings, load
from deployments.orchestration.connection import prefect_environment


def register(root: typer.Typer) -> None:
    root.command("migrate")(migrate)
    root.command("deploy")(deploy)


def migrate() -> None:
    """Bring the database to this release's schema. Run it before the release takes traffic.

    Two at once wait for one another; a database that is there already stays as it is."""
    url = _owner_url(load())
    engine = make_engine(url, application_name="firstuser-migrate")
    before = migrations.current(engine)
    engine.dispose()
    migrations.upgrade(url)
    sys.stdout.write(f"{before or 'empty'} → {migrations.head()}\n")


def _owner_url(settings: Settings) -> str:
    return (
        settings.deploy.owner_database_url.get_secret_value()
        or settings.platform.database_url.get_secret_value()
    )


def deploy() -> None:
    """Tell Prefect what there is to run: work pool, automations, and every deployment of prefect.yaml.

    Can be run again and again: what ops paused or switched off stays so."""
    settings = load()
    os.environ.update(prefect_environment(settings.service))
    from deployments.orchestration import deploying  # reads Prefect's settings when it is imported

    deploying.deploy(deploying.configured_pool(settings.deploy), settings.stack.schedules)
