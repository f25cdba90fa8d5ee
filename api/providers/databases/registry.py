"""Database providers by the name that settings give them."""

from collections.abc import Callable

from api.core.ports import DatabaseProvider
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings

DATABASES: dict[str, Callable[[Settings], DatabaseProvider]] = {
    "embedded": EmbeddedDatabase.from_settings,
}


def database_provider(settings: Settings) -> DatabaseProvider:
    """The provider that `FIRSTUSER_DATABASE_PROVIDER` names."""
    return DATABASES[settings.drills.database_provider](settings)
