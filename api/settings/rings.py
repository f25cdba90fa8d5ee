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

Rings = Mapping[str, list[str]]


def rings(platform: PlatformSettings, service: ServiceSettings) -> Rings:
    """Every ring that has a value; none holds one twice."""
    fields = {
        SESSION: [getattr(platform, f"session_secret{stage}") for stage in _STAGES],
        WIDGET: [getattr(platform, f"integration_widget_signing_secret{stage}") for stage in _STAGES],
        WEBHOOK: [getattr(platform, f"integration_webhook_signing_secret{stage}") for stage in _STAGES],
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
