"""The base of every settings group."""

from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, AliasPath
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseSettings):
    """A variable set to nothing counts as not set: so `.env.example` can be filled in line by line."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    @classmethod
    def read(cls, file: Path | None, **known: object) -> Self:
        """Read the group from the environment, then from `file`; `known` fields are not looked for.

        Raises pydantic's ValidationError."""
        source: dict[str, Any] = {"_env_file": file, **known}
        return cls(**source)

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The variable that each field is read from."""
        prefix = cls.model_config.get("env_prefix", "")
        return {
            name: _first(field.validation_alias) or f"{prefix}{name}".upper()
            for name, field in cls.model_fields.items()
        }


def _first(alias: str | AliasPath | AliasChoices | None) -> str:
    """The name that people set; others are the platforms' own."""
    chosen = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return chosen if isinstance(chosen, str) else ""
