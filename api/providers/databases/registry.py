"""Database providers by the name that settings give them."""

from collections.abc import Callable

from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings

DATABASES: dict[str, Callable[[Settings], EmbeddedDatabase]] = {
    "embedded": EmbeddedDatabase.from_settings,
}
