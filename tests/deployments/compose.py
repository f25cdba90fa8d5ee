"""`compose.yaml` read as Docker reads it, as far as the tests need: commands, and environments filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deployments" / "docker" / "compose.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


class Unset(Exception):
    """A variable that has to be set is not."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """Raises `Unset` for `${NAME:?}` without a value."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        if values.get(name):
            return values[name]
        if kind == "?":
            raise Unset(name)
        return default or ""

    return _VARIABLE.sub(value, text)


def environment(service: str, values: Mapping[str, str]) -> dict[str, str]:
    stated = SERVICES[service].get("environment", {})
    return {name: filled(str(value), values) for name, value in stated.items()}


def required() -> set[str]:
    """What `.env` has to have."""
    return {name for name, kind, _ in _VARIABLE.findall(FILE.read_text()) if kind == "?"}
