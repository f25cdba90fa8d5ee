"""How a deployed process stands: where it listens, how it migrates, which work pool it serves."""

import json
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class DeploySettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"  # the image says 0.0.0.0: the platform's proxy has to reach it
    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")  # as platforms name it
    owner_database_url: SecretStr = SecretStr("")  # how migrations reach the database; "" is DATABASE_URL
    prefect_database_url: SecretStr = SecretStr("")  # of the Prefect server; a database of its own
    prefect_encryption_key: SecretStr = SecretStr("")  # Fernet: of the blocks in that database
    work_pool: str = "local"
    work_pool_type: Literal["process", "docker", "ecs"] = "process"
    work_pool_defaults: str = ""  # JSON: job variables of every run in the pool

    @field_validator("work_pool_defaults")
    @classmethod
    def defaults_are_an_object(cls, text: str) -> str:
        try:
            known = json.loads(text or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON: {error.msg} at character {error.pos}") from None
        if not isinstance(known, dict):
            raise ValueError("is not a JSON object")
        return text

    @property
    def job_defaults(self) -> dict[str, Any]:
        return json.loads(self.work_pool_defaults or "{}")
