"""What a copy's tags say: whose it is, of which moment, and until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DRILL, SOURCE = "firstuser:drill", "firstuser:source"
MOMENT, EXPIRES = "firstuser:restored-to", "firstuser:expires-at"


@dataclass(frozen=True, slots=True)
class Tagged:
    name: str
    target_at: datetime
    expires_at: datetime


def written(name: str, source: str, at: datetime, expires_at: datetime) -> list[dict[str, str]]:
    values = {DRILL: name, SOURCE: source, MOMENT: at.isoformat(), EXPIRES: expires_at.isoformat()}
    return [{"Key": key, "Value": value} for key, value in values.items()]


def read(tags: Sequence[Mapping[str, Any]], source: str) -> Tagged | None:
    """None for what is no copy of `source` that we made."""
    found = {str(tag.get("Key")): str(tag.get("Value")) for tag in tags}
    if DRILL not in found or found.get(SOURCE) != source:
        return None
    try:
        times = [datetime.fromisoformat(found.get(key, "")) for key in (MOMENT, EXPIRES)]
    except ValueError:
        return None
    return Tagged(found[DRILL], times[0], times[1])
