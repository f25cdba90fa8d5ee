"""A copy's name, moment and expiry in one word, for vendors without tags.

`drill-<id>-<moment>-<expiry>-<mark>`

Moments are hexadecimal seconds since 1970. The mark says which database it is a copy of, so that two
installations in one account leave each other's copies alone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

_LABEL = re.compile(r"(drill-[a-z0-9]+)-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{6})")


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    target_at: datetime
    expires_at: datetime


def written(name: str, target_at: datetime, expires_at: datetime, source: str) -> str:
    return f"{name}-{_hex(target_at)}-{_hex(expires_at)}-{_mark(source)}"


def read(text: str, source: str) -> Label | None:
    """None for what is no copy of `source` that we made."""
    found = _LABEL.fullmatch(text)
    if found is None or found[4] != _mark(source):
        return None
    return Label(found[1], _moment(found[2]), _moment(found[3]))


def _hex(moment: datetime) -> str:
    return f"{int(moment.timestamp()):08x}"


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(int(text, 16), UTC)


def _mark(source: str) -> str:
    return sha256(source.encode()).hexdigest()[:6]
