"""The only reader of the environment. Groups, one file each; all are read by `load()`.

Values come from the environment first, then from the file named by `FIRSTUSER_ENV_FILE` (KEY=VALUE lines,
mode 0600): the embedded stack keeps its secrets there, so that no process carries them in its environment.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from api.settings.alerts import AlertSettings
from api.settings.databases import DatabasesSettings
from api.settings.deploy import DeploySettings
from api.settings.drills import DrillSettings
from api.settings.evidence import EvidenceSettings
from api.settings.group import Group
from api.settings.incidents import IncidentSettings
from api.settings.messaging import MessagingSettings
from api.settings.platform import PlatformSettings
from api.settings.platforms import PlatformsSettings
from api.settings.preflight import PreflightSettings
from api.settings.service import ServiceSettings
from api.settings.stack import StackSettings
from api.settings.store import StoreSettings
from api.settings.tracing import TracingSettings

__all__ = [
    "GROUPS",
    "AlertSettings",
    "DatabasesSettings",
    "DeploySettings",
    "DrillSettings",
    "EvidenceSettings",
    "IncidentSettings",
    "MessagingSettings",
    "PlatformSettings",
    "PlatformsSettings",
    "PreflightSettings",
    "ServiceSettings",
    "Settings",
    "StackSettings",
    "StoreSettings",
    "TracingSettings",
    "load",
    "named_file",
]


@dataclass(frozen=True, slots=True)
class Settings:
    platform: PlatformSettings
    service: ServiceSettings
    stack: StackSettings
    store: StoreSettings
    drills: DrillSettings
    messaging: MessagingSettings
    alerts: AlertSettings
    preflight: PreflightSettings
    incidents: IncidentSettings
    platforms: PlatformsSettings
    tracing: TracingSettings
    evidence: EvidenceSettings
    deploy: DeploySettings
    databases: DatabasesSettings


GROUPS: Mapping[str, type[Group]] = {
    "platform": PlatformSettings,
    "service": ServiceSettings,
    "stack": StackSettings,
    "store": StoreSettings,
    "drills": DrillSettings,
    "messaging": MessagingSettings,
    "alerts": AlertSettings,
    "preflight": PreflightSettings,
    "incidents": IncidentSettings,
    "platforms": PlatformsSettings,
    "tracing": TracingSettings,
    "evidence": EvidenceSettings,
    "deploy": DeploySettings,
    "databases": DatabasesSettings,
}


def load(env_file: Path | None = None) -> Settings:
    """Read every group. `env_file` overrides `FIRSTUSER_ENV_FILE`. Raises pydantic's ValidationError."""
    file = env_file or named_file()
    return Settings(
        platform=PlatformSettings.read(file),
        service=ServiceSettings.read(file),
        stack=StackSettings.read(file),
        store=StoreSettings.read(file),
        drills=DrillSettings.read(file),
        messaging=MessagingSettings.read(file),
        alerts=AlertSettings.read(file),
        preflight=PreflightSettings.read(file),
        incidents=IncidentSettings.read(file),
        platforms=PlatformsSettings.read(file),
        tracing=TracingSettings.read(file),
        evidence=EvidenceSettings.read(file),
        deploy=DeploySettings.read(file),
        databases=DatabasesSettings.read(file),
    )


def named_file() -> Path | None:
    named = os.environ.get("FIRSTUSER_ENV_FILE")
    return Path(named) if named else None
