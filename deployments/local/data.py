"""What `up` does to the databases: migrations, the first data, the first backup. Each only when missing."""

from datetime import UTC, datetime

from api.db.migrate import upgrade
from deployments.local.environment import ENVIRONMENTS, database_url
from deployments.local.seed import SeedReport, seed
from deployments.local.stack import Stack

OWNER = "firstuser_owner"


def migrate(stack: Stack) -> None:
    for environment in ENVIRONMENTS:
        upgrade(database_url(stack.ports, OWNER, environment))


def seed_once(stack: Stack) -> SeedReport:
    url = database_url(stack.ports, OWNER, "production")
    return seed(url, stack.settings, stack.settings.stack.seed_scale, datetime.now(UTC))


def first_backup(stack: Stack) -> bool:
    """Without one, nothing could be restored before the first scheduled backup. True when taken."""
    from api.providers.databases.embedded.provider import EmbeddedDatabase

    database = EmbeddedDatabase.from_settings(stack.settings)
    if database.restore_points():
        return False
    database.take_backup("full")
    return True
