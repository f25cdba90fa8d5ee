"""The embedded stack: where its state lives and which ports it takes (0: any free one, then kept)."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class StackSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    state_dir: Path = Path("var")
    embedded: bool = False  # set by `firstuser up`: this environment is of one machine, for itself
    postgres_port: int = 5440
    api_port: int = 8000
    staging_port: int = 8001
    prefect_port: int = 4200
    postgres_os_user: str = ""  # only when started by root; "" picks one
    postgres_bin_dir: Path | None = None  # another PostgreSQL 18 installation
    seed_scale: float = 1.0
    schedules: str = ""  # deployments that run by themselves: all of them, `off`, or their names
    traffic_rate: float = 0.0  # requests per second that `up` keeps running; 0: none
