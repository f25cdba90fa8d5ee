"""Values out of vendors' JSON, whose types nobody vouches for."""

from collections.abc import Mapping
from typing import Any, cast


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
