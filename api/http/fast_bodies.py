"""Bodies of the fast lane, read strictly: None for anything that is not plainly as described.

`api.http.integration` describes them. What this module takes, the description takes and means the same; what
it does not take is for the description to judge (tests/api/http/test_fast_lane.py holds it to both).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from api.core.presence.rules import MAX_USERS, Beat, clamp

# Plain ASCII only: whatever else a name may be is not decided twice.
_NAME = re.compile(r"[\x20-\x7e]{1,200}")
_URL = re.compile(r"[\x21-\x7e]{1,2000}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6})?(?:Z|[+-]\d\d:\d\d)")
_CODE = re.compile(r"[\x21-\x7e]{1,200}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class ExchangeAsked(NamedTuple):
    code: str
    return_url: str | None
    code_verifier: str | None
    idempotency_key: str | None


def beats(body: bytes, now: datetime) -> list[Beat] | None:
    users = _object(body).get("users")
    if not isinstance(users, list) or not 1 <= len(users) <= MAX_USERS:
        return None
    found: list[Beat] = []
    for user in users:
        beat = _beat(user, now)
        if beat is None:
            return None
        found.append(beat)
    return found


def exchange(headers: Mapping[bytes, bytes], body: bytes) -> ExchangeAsked | None:
    asked = _object(body)
    code, url, verifier = asked.get("code"), asked.get("return_url"), asked.get("code_verifier")
    key = headers[b"idempotency-key"].decode("latin-1") if b"idempotency-key" in headers else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    if url is not None and not (isinstance(url, str) and _URL.fullmatch(url)):
        return None
    if verifier is not None and not (isinstance(verifier, str) and _VERIFIER.fullmatch(verifier)):
        return None
    if key is not None and not _KEY.fullmatch(key):
        return None
    return ExchangeAsked(code, url, verifier, key)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _beat(user: Any, now: datetime) -> Beat | None:
    if not isinstance(user, dict):
        return None
    name, status, at = user.get("external_user_id"), user.get("status", "live"), user.get("at")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or status not in ("live", "left"):
        return None
    if at is None:
        return Beat(name, status, now)
    moment = _moment(at)
    return Beat(name, status, clamp(moment, now)) if moment else None


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
