"""What `up` and `down` do to the databases: migrations, the first data, the first backup, no copy left.

The stack's database is the embedded one, whichever vendor drills restore at: `up` and `down` ask nobody else.
Its provider is imported late: `status` and `logs` have no use for it.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from api.db.address import login_of, opens
from api.db.migrate import upgrade
from deployments.local.environment import ENVIRONMENTS, database_url, read_env_file
from deployments.local.seed import SeedReport, seed
from deployments.local.stack import Stack

if TYPE_CHECKING:
    from api.providers.databases.embedded.provider import EmbeddedDatabase

OWNER = "firstuser_owner"
ADMIN = "firstuser_admin"


def migrate(stack: Stack) -> None:
    for environment in ENVIRONMENTS:
        upgrade(database_url(stack.ports, OWNER, environment))


def admit(stack: Stack) -> list[str]:
    """A cluster that was put back from a backup has the passwords of its day: the logins of today are let in
    again. The roles that needed it."""
    from api.providers.databases.logins import Logins, group_of

    found: list[str] = []
    for environment in ENVIRONMENTS:
        url = read_env_file(stack.state, environment)["DATABASE_URL"]
        role, password = login_of(url)
        if password and not opens(url):
            with psycopg.connect(database_url(stack.ports, ADMIN, environment), autocommit=True) as admin:
                Logins(admin).allow(role, group_of(role), password)
            found.append(role)
    return found


def seed_once(stack: Stack) -> SeedReport:
    url = database_url(stack.ports, OWNER, "production")
    return seed(url, stack.settings, stack.settings.stack.seed_scale, datetime.now(UTC))


def first_backup(stack: Stack) -> bool:
    """Without one, nothing could be restored before the first scheduled backup. True when taken."""
    database = _embedded(stack)
    if database.restore_points():
        return False
    database.take_backup("full")
    return True


def end_copies(stack: Stack) -> int:
    """Destroy the temporary databases of drills: none outlives the stack. Returns how many there were. Those
    at a vendor are left to the sweep."""
    database = _embedded(stack)
    found = database.orphans(datetime.now(UTC))
    for handle in found:
        database.destroy(handle)
    return len(found)


def _embedded(stack: Stack) -> "EmbeddedDatabase":
    from api.providers.databases.embedded.provider import EmbeddedDatabase

    return EmbeddedDatabase.from_settings(stack.settings)
