"""What the watcher tells the API each time that it finds it well, and what it hears in return.

    watcher → API   that it lives, whether the dead-man switch hears it, outages that nobody could write down
    API → watcher   the silences that hold

The report is signed with a key of its own that comes from SESSION_SECRET, which both have.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from api.core.crypto import Signer
from api.core.errors import Refused

PATH = "/api/ops/v1/watcher"
SIGNATURE = "X-Watcher-Signature"
PURPOSE = "watcher-report"
NAME = "watcher"
SILENCE = timedelta(minutes=2)
_OLDEST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outage:
    """One that is over. `notified_at`: when a channel last accepted a message about it; None for never."""

    id: str
    rule: str
    opened_at: datetime
    resolved_at: datetime
    notified_at: datetime | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence, as far as the watcher has to know it."""

    rule: str
    scope: str
    app_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """`dead_man`: whether there is such a switch. `leaving`: the watcher ends on purpose."""

    at: datetime
    outages: tuple[Outage, ...] = ()
    dead_man: bool = False
    dead_man_ok_at: datetime | None = None
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """`known`: outages that are on record now."""

    known: tuple[str, ...] = ()
    silences: tuple[Silenced, ...] = ()


_REPORT, _REPLY = TypeAdapter(Report), TypeAdapter(Reply)


def seal(report: Report, signer: Signer) -> tuple[bytes, dict[str, str]]:
    """(body, headers)."""
    body = _REPORT.dump_json(report)
    return body, {SIGNATURE: signer.sign(body.decode()).hex(), "Content-Type": "application/json"}


def opened(body: bytes, signature: str, signer: Signer, now: datetime) -> Report:
    """Raises `Refused` for what the watcher did not send, or sent long ago."""
    try:
        genuine = signer.verify(body.decode(), bytes.fromhex(signature))
        report = _REPORT.validate_json(body) if genuine else None
    except (ValueError, ValidationError):
        report = None
    if report is None or abs(now - report.at) > _OLDEST:
        raise Refused(
            "This is no report of our watcher, or an old one.",
            fix="Give the watcher the SESSION_SECRET of the API; check both clocks.",
        )
    return report


def reply(body: bytes) -> Reply | None:
    """None for what cannot be read."""
    try:
        return _REPLY.validate_json(body)
    except ValidationError:
        return None


def answer(given: Reply) -> bytes:
    return _REPLY.dump_json(given)
