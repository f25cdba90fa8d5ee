"""One try to hand a message over, as a value: nothing that a receiver does is an exception."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

MAX_EXCERPT = 2000


class Failure(StrEnum):
    """Why there is no 2xx. `ADDRESS_BLOCKED`, `HELD` and `UNSIGNED` mean that nothing was sent."""

    HELD = "held"
    UNSIGNED = "unsigned"  # there is no secret to sign with
    ADDRESS_BLOCKED = "address_blocked"
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    BROKEN_OFF = "broken_off"
    REDIRECTED = "redirected"
    REFUSED = "refused"  # any other status than 2xx


class Attempt(NamedTuple):
    """`excerpt` is the start of the answer's body as text; `address` where the connection went;
    `retry_after` the header as it came."""

    failure: Failure | None
    status_code: int | None = None
    latency_ms: int = 0
    excerpt: str = ""
    address: str = ""
    detail: str = ""
    retry_after: str = ""

    @property
    def delivered(self) -> bool:
        return self.failure is None


class Sender(Protocol):
    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """One POST, no redirects, one deadline over all of it. Raises `Refused` for a URL not allowed."""
        ...


def failure_of(status_code: int) -> Failure | None:
    if 200 <= status_code < 300:
        return None
    return Failure.REDIRECTED if 300 <= status_code < 400 else Failure.REFUSED


def excerpt(body: bytes) -> str:
    """Readable by people and harmless to a log or a database."""
    text = body[: 4 * MAX_EXCERPT].decode(errors="replace")[:MAX_EXCERPT]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
