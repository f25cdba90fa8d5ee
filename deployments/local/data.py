"""What `up` and `down` do to the databases: migrations, the first data, the first backup, no copy left.

The provider is imported late: `status` and `logs` have no use for it.
"""

from datetime import UTC, datetime

from api.core.errors import Refused
from api.core.ports import BackupKeeper, DatabaseProvider
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
    database = _provider(stack)
    if database.restore_points():
        return False
    if not isinstance(database, BackupKeeper):
        raise Refused(f"{database.name} has no backup yet, and takes its own.", fix="Wait for its first one.")
    database.take_backup("full")
    return True


def end_copies(stack: Stack) -> int:
    """Destroy the temporary databases of drills: none outlives the stack. Returns how many there were."""
    database = _provider(stack)
    found = database.orphans(datetime.now(UTC))
    for handle in found:
        database.destroy(handle)
    return len(found)


def _provider(stack: Stack) -> DatabaseProvider:
    from api.providers.databases.registry import database_provider

    return database_provider(stack.settings)
