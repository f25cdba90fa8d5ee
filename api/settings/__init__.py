"""The only reader of the environment. Groups, one file each; all are read by `load()`.

Values come from the environment first, then from the file named by `FIRSTUSER_ENV_FILE` (KEY=VALUE lines,
mode 0600): the embedded stack keeps its secrets there, so that no process carries them in its environment.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from api.settings.drills import DrillSettings
from api.settings.platform import PlatformSettings
from api.settings.service import ServiceSettings
from api.settings.stack import StackSettings
from api.settings.store import StoreSettings

__all__ = [
    "DrillSettings",
    "PlatformSettings",
    "ServiceSettings",
    "Settings",
    "StackSettings",
    "StoreSettings",
    "load",
]


@dataclass(frozen=True, slots=True)
class Settings:
    platform: PlatformSettings
    service: ServiceSettings
    stack: StackSettings
    store: StoreSettings
    drills: DrillSettings


def load(env_file: Path | None = None) -> Settings:
    """Read every group. `env_file` overrides `FIRSTUSER_ENV_FILE`. Raises pydantic's ValidationError."""
    named = os.environ.get("FIRSTUSER_ENV_FILE")
    file = env_file or (Path(named) if named else None)
    return Settings(
        platform=PlatformSettings.read(file),
        service=ServiceSettings.read(file),
        stack=StackSettings.read(file),
        store=StoreSettings.read(file),
        drills=DrillSettings.read(file),
    )
