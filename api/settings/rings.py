"""The secrets that are rotated by overlap, as this process's settings hold them: current first, then
previous, then pending. Those of the data key may hold several, while backups need more than one. Of the
database's address only the current one: nobody logs in with another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from api.core.crypto import several
from api.settings.platform import PlatformSettings
from api.settings.service import ServiceSettings

SESSION = "SESSION_SECRET"
WIDGET = "INTEGRATION_WIDGET_SIGNING_SECRET"
WEBHOOK = "INTEGRATION_WEBHOOK_SIGNING_SECRET"
DATA_KEY = "FIRSTUSER_DATA_KEY"
DATABASE = "DATABASE_URL"
_STAGES = ("", "_previous", "_pending")
_RINGS_OF_PLATFORM = {
    SESSION: "session_secret",
    WIDGET: "integration_widget_signing_secret",
    WEBHOOK: "integration_webhook_signing_secret",
}
FIELDS = frozenset(
    f"{field}{stage}" for field in (*_RINGS_OF_PLATFORM.values(), "data_key") for stage in _STAGES
) | {"database_url"}
"""The settings that the rings are read from."""

Rings = Mapping[str, list[str]]


def rings(platform: PlatformSettings, service: ServiceSettings) -> Rings:
    """Every ring that has a value; none holds one twice."""
    fields = {
        name: [getattr(platform, f"{field}{stage}") for stage in _STAGES]
        for name, field in _RINGS_OF_PLATFORM.items()
    } | {
        DATA_KEY: [getattr(service, f"data_key{stage}") for stage in _STAGES],
        DATABASE: [platform.database_url],
    }
    found = {name: _values(stages) for name, stages in fields.items()}
    found[DATA_KEY] = list(dict.fromkeys(key for value in found[DATA_KEY] for key in several(value)))
    return {name: values for name, values in found.items() if values}


def read_rings(file: Path) -> Rings:
    """As they are now. Raises pydantic's ValidationError."""
    return rings(PlatformSettings.read(file), ServiceSettings.read(file))


def _values(stages: Sequence[SecretStr | None]) -> list[str]:
    given = [stage.get_secret_value() for stage in stages if stage]
    return list(dict.fromkeys(value for value in given if value))
