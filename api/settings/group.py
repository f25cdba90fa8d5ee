"""The base of every settings group."""

from pathlib import Path
from typing import Any, Self

from pydantic_settings import BaseSettings


class Group(BaseSettings):
    @classmethod
    def read(cls, file: Path | None) -> Self:
        """Read the group from the environment, then from `file`. Raises pydantic's ValidationError."""
        source: dict[str, Any] = {"_env_file": file}
        return cls(**source)
