"""How the incident watch acts, and the pace of its clock in a rehearsal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class IncidentSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    incident_mode: Literal["", "dry-run", "recommend", "auto"] = ""  # "": auto, recommend under low traffic
    incident_clock_rate: float = Field(default=1, gt=0, le=60)  # over 1: a rehearsal, never in earnest
    incident_clock_origin: AwareDatetime = datetime(2026, 1, 1, tzinfo=UTC)  # from here on it runs faster
    probes_file: Path | None = None  # where the watcher leaves what it saw; None: in the state folder
