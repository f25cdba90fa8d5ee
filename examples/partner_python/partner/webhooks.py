"""Webhooks by the Standard Webhooks specification: signature over the raw bytes, then once for each id."""

import base64
import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

TOLERANCE_S = 300
_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_MAX_REMEMBERED = 10_000


def refusal(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """None for a genuine message, else why not. Whatever a stranger sends, it raises nothing."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split()
    if not (message_id and timestamp and signatures):
        return "a webhook header is missing"
    if not _TIMESTAMP.fullmatch(timestamp):
        return "the timestamp is not a number"
    if abs(now - int(timestamp)) > TOLERANCE_S:
        return "the timestamp is more than five minutes away"
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = [_signature(secret, signed) for secret in secrets]
    matches = [
        hmac.compare_digest(one, given.encode()) for one in wanted for given in signatures
    ]  # all of them, so that the time taken says nothing
    return None if any(matches) else "no signature matches"


def event(body: bytes) -> dict[str, Any] | None:
    """`{type, timestamp, data}`; None for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return None
    return found


class Seen:
    """The ids that were handled. In your database: a unique column, written with what the event did."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > _MAX_REMEMBERED:
            self._ids.popitem(last=False)


def check(secrets: Sequence[str]) -> None:
    """At the start: a secret that is none would refuse everything later. Raises `SystemExit`."""
    for secret in secrets:
        try:
            whole = len(_key(secret)) > 0
        except ValueError:
            whole = False
        if not whole:
            raise SystemExit("FIRSTUSER_WEBHOOK_SECRET is not whsec_ and base64: copy it whole.")


def _signature(secret: str, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
