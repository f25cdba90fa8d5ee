"""Where alerts go beside OPS_ALERT_WEBHOOK_URL, and what the watcher watches."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class AlertSettings(Group):
    """The addresses are credentials, as OPS_ALERT_WEBHOOK_URL is."""

    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    alert_fallback_url: SecretStr | None = None  # takes over when the first channel is dead
    dead_man_url: SecretStr | None = (
        None  # the watcher asks for it every minute; its silence is noticed there
    )
    runbooks_url: str = ""  # where deployments/runbooks can be read; "" names the file
    watcher_readyz_url: str = ""  # "" is PUBLIC_APP_URL/api/readyz
    watcher_interval_seconds: float = Field(default=10, gt=0, le=60)
    watcher_state_file: Path | None = None  # None: watcher.json in the state folder
