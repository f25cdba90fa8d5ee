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

    Two at once wait for one another. A database that is there already stays as it is; so does one that a
    newer release has migrated, as after a rollback, and the restored copy of a drill."""
    settings = load()
    if settings.platform.restored_database_url and not settings.deploy.owner_database_url.get_secret_value():
        copy = settings.service.restored_copy or "a restored copy"
        sys.stdout.write(f"{copy} stays as it was restored\n")
        return
    url, head = _owner_url(settings), migrations.head()
    engine = make_engine(url, application_name="firstuser-migrate")
    before = migrations.current(engine)
    engine.dispose()
    if before and migrations.is_ahead(before, head):
        sys.stdout.write(f"{before} is of a newer release, which this one works on: it stays\n")
        return
    migrations.upgrade(url)
    sys.stdout.write(f"{before or 'empty'} → {head}\n")


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
