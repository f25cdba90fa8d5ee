"""Targets and limits of restore drills and backups (runbook section 2)."""

from typing import Literal

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group

DatabaseName = Literal["embedded", "rds", "aurora", "neon", "supabase", "render", "railway"]


class DrillSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    database_provider: DatabaseName = "embedded"
    hosting_provider: Literal["local", "render", "railway", "fly", "ecs"] = "local"
    reader_database_url: SecretStr = SecretStr(
        ""
    )  # how drills read production; "" is DATABASE_URL, read-only
    drill_rto_target_seconds: float = 900
    drill_rpo_target_seconds: float = 120
    drill_copy_ttl_seconds: float = 7200
    staging_timeout_seconds: float | None = None  # to serve what it was pointed at: 60 here, 900 on platforms
    drill_fsync: bool = True  # off: the run is labelled "verification only"
    beacon_interval_seconds: float = 5
    fingerprint_interval_seconds: float = 60
    backup_retention_days: float = 14
    backup_full_every_hours: float = 24

    @property
    def staging_wait_seconds(self) -> float:
        return self.staging_timeout_seconds or (60 if self.hosting_provider == "local" else 900)
