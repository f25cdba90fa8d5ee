"""Signatures by the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`, the raw bytes.

`headers`  what to send: webhook-id, webhook-timestamp, webhook-signature (one `v1,<base64>` for each secret)
`Signer`   the same for many messages
`verify`   what a receiver decides: a `Verdict`, never an exception for what a stranger sent
`generate` a new secret: `whsec_` and 32 random bytes in base64
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from api.core.errors import Refused

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1"
_SECRET_BYTES = 32
_MAX_DIGITS = 11  # the year 5138: longer than that is no timestamp


class Verdict(StrEnum):
    """`genuine`, or why not; the text is what a partner's engineer reads."""

    GENUINE = "genuine"
    NO_HEADERS = f"{ID}, {TIMESTAMP} or {SIGNATURE} is missing"
    BAD_TIMESTAMP = f"{TIMESTAMP} is not a number of seconds since 1970"
    TOO_OLD = f"{TIMESTAMP} is more than 5 minutes ago: replayed, or a clock is wrong"
    TOO_NEW = f"{TIMESTAMP} is more than 5 minutes ahead: a clock is wrong"
    NO_SIGNATURE = f"{SIGNATURE} holds no v1 signature"
    NO_MATCH = "no v1 signature matches: another secret, or the body is not the raw bytes that were sent"


def generate() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def from_platform(secret: str) -> str:
    """The platform's own secret as `whsec_…`: one of another shape is taken byte for byte. A partner without
    a secret of its own is handed this form."""
    return secret if secret.startswith(PREFIX) else PREFIX + base64.b64encode(secret.encode()).decode()


class PlatformSecrets:
    """The platform's own secrets as `whsec_…`: what signs for a partner without one of its own. Iterated, it
    gives those of this moment."""

    def __init__(self, ring: Sequence[str]) -> None:
        self.turn(ring)

    def turn(self, ring: Sequence[str]) -> None:
        """From now on with these secrets."""
        self._ring = [from_platform(secret) for secret in ring]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ring)


class Signer:
    """Signs by these secrets, each made ready once. Raises `Refused` for a bad secret."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._begun = [hmac.new(_key(key), digestmod="sha256") for key in keys]

    def headers(self, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The three of one attempt; `at` is the attempt's time, `message_id` stays across attempts."""
        timestamp = str(int(at.timestamp()))
        return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: self.sign(message_id, timestamp, body)}

    def sign(self, message_id: str, timestamp: str, body: bytes) -> str:
        """One signature for each secret, in their order, space-separated."""
        said = f"{message_id}.{timestamp}.".encode(errors="replace")
        return " ".join([_signature(begun.copy(), said, body) for begun in self._begun])


def headers(keys: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    return Signer(keys).headers(message_id, at, body)


def sign(keys: Sequence[str], message_id: str, timestamp: str, body: bytes) -> str:
    return Signer(keys).sign(message_id, timestamp, body)


def verify(keys: Sequence[str], sent: Mapping[str, str], body: bytes, now: datetime) -> Verdict:
    """Whether `sent` (lower-case header names) vouches for `body`. Raises `Refused` for a bad secret only."""
    message_id, timestamp, signature = (sent.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and timestamp and signature):
        return Verdict.NO_HEADERS
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_DIGITS):
        return Verdict.BAD_TIMESTAMP
    age = now.timestamp() - int(timestamp)
    if age > TOLERANCE.total_seconds():
        return Verdict.TOO_OLD
    if -age > TOLERANCE.total_seconds():
        return Verdict.TOO_NEW
    presented = [part for part in signature.split(" ") if part.startswith(f"{_VERSION},")]
    if not presented:
        return Verdict.NO_SIGNATURE
    wanted = sign(keys, message_id, timestamp, body).split(" ")
    matches = [_same(one, other) for one in wanted for other in presented]
    return Verdict.GENUINE if any(matches) else Verdict.NO_MATCH


def _same(one: str, other: str) -> bool:
    """In constant time; whatever a header may hold."""
    return hmac.compare_digest(one.encode(), other.encode(errors="replace"))


def _signature(mac: hmac.HMAC, said: bytes, body: bytes) -> str:
    mac.update(said)
    mac.update(body)
    return f"{_VERSION},{binascii.b2a_base64(mac.digest(), newline=False).decode()}"


def _key(secret: str) -> bytes:
    """The bytes of a secret; prefix and padding may be missing, as in the specification's own libraries."""
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Refused(
            "The webhook secret is not base64.",
            fix=f"A secret is {PREFIX} and bytes in base64: copy it whole.",
        )
    return key
