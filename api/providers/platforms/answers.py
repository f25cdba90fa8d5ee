"""Values out of vendors' JSON, whose types nobody vouches for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import httpx


def text_of(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    return found if isinstance(found, str) else ""


def object_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def objects_of(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def array_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Of an answer that is a list. One that cannot be read has none."""
    try:
        found: Any = answer.json()
    except ValueError:
        return []
    return objects_of({"found": found}, "found")


def moment_of(document: Mapping[str, Any], name: str) -> datetime:
    """ISO 8601; the beginning of time where it cannot be read."""
    try:
        found = datetime.fromisoformat(text_of(document, name))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
