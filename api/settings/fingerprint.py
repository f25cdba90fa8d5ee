"""One word for the configuration that a process runs with: two processes with the same one do the same.

Keyed with the data key, so that it says nothing about any value to whoever does not have that."""

import hashlib
import hmac
import json
from functools import cache

from pydantic import SecretStr

from api.settings import Settings

_GROUPS = ("platform", "service", "messaging", "alerts", "store")
_OF_ONE_DEPLOY = {"deploy_id", "release", "restored_copy", "as_of"}
_SHOWN = 16


def configuration(settings: Settings) -> str:
    key = settings.service.data_key.get_secret_value().encode()
    values = {
        f"{group}.{name}": _text(value)
        for group in _GROUPS
        for name, value in getattr(settings, group)
        if name not in _OF_ONE_DEPLOY
    }
    return _digest(key, json.dumps(values, sort_keys=True))


@cache
def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, b"configuration" + text.encode(), hashlib.sha256).hexdigest()[:_SHOWN]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
