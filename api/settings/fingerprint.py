"""One word for the configuration that a process runs with: two processes with the same one do the same.

Keyed with the data key, so that it says nothing about any value to whoever does not have that."""

import hashlib
import hmac
import json
from functools import cache

from pydantic import SecretStr

from api.settings import Settings
from api.settings.rings import DATA_KEY, FIELDS, Rings, rings

_GROUPS = ("platform", "service", "messaging", "alerts", "store")
_OF_ONE_DEPLOY = {"deploy_id", "release", "restored_copy", "as_of"}
_SHOWN = 16


def configuration(settings: Settings, held: Rings | None = None) -> str:
    """`held`: the rotated secrets that the process has by now, where it has run since before a rotation."""
    held = rings(settings.platform, settings.service) if held is None else held
    values: dict[str, object] = {
        f"{group}.{name}": _text(value)
        for group in _GROUPS
        for name, value in getattr(settings, group)
        if name not in _OF_ONE_DEPLOY and name not in FIELDS
    }
    key = held.get(DATA_KEY, [""])[0].encode()
    return _digest(key, json.dumps(values | {"rings": dict(held)}, sort_keys=True))


@cache
def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, b"configuration" + text.encode(), hashlib.sha256).hexdigest()[:_SHOWN]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
