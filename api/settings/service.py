"""How one API process stands: as what, for whom, and with which eyes on the data."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from api.core.errors import Refused
from api.core.flags.rules import parse_overrides
from api.settings.group import Group


class ServiceSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    env: Literal["production", "staging", "development"] = "development"
    deploy_id: str = "dev"
    release: str = Field(
        default="dev",
        validation_alias=AliasChoices(
            "FIRSTUSER_RELEASE", "RENDER_GIT_COMMIT", "RAILWAY_GIT_COMMIT_SHA", "release"
        ),
    )
    data_key: SecretStr = SecretStr("")  # 32 bytes, base64: personal data at rest
    data_key_previous: SecretStr | None = None
    data_key_pending: SecretStr | None = None
    outbound: Literal["outbox", "live"] = "outbox"
    outbox_dir: Path = Path("var/outbox")
    restored_copy: str | None = None  # the temporary database's name while staging serves from one
    as_of: datetime | None = None  # the clock stands here while staging serves from a restored copy
    flags: str = ""  # overrides that need no database: onboarding_paused=on,integration_enabled:int_x=off
    live_ttl_seconds: int = 90
    widget_token_seconds: int = Field(default=600, ge=10, le=600)  # a widget asks for a new token in time
    drain_seconds: float = Field(default=0, ge=0, le=600)  # from "not ready" to closing: a balancer notices
    trusted_proxies: str = ""  # addresses and networks whose X-Forwarded-For and -Proto are believed
    rate_limit_per_second: float = Field(default=500, gt=0)  # calls of one API key, per process …
    rate_limit_burst: int = Field(default=2000, gt=0)  # … and how many at once
    join_proof_of_work: bool | None = None  # unset: where mails leave this machine and pages are on https
    metrics_token: SecretStr | None = None  # who sends it may read /api/metrics; without it nobody
    metrics_host: str = "127.0.0.1"  # where dispatcher and watcher serve theirs
    dispatcher_metrics_port: int | None = Field(default=None, ge=0, le=65_535)  # None: not at all
    watcher_metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    prefect_api_url: str = ""
    prefect_ui_url: str = ""
    prefect_auth: SecretStr | None = None

    @property
    def trusted_proxy_list(self) -> list[str]:
        return [proxy.strip() for proxy in self.trusted_proxies.split(",") if proxy.strip()]

    @field_validator("flags")
    @classmethod
    def flags_are_known(cls, text: str) -> str:
        try:
            parse_overrides(text)
        except Refused as problem:
            raise ValueError(str(problem)) from None
        return text
