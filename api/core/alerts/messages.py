"""What is said about an alert, and the port of a channel that carries it.

`AlertChannel.send` raises `Throttled`, `Unavailable` or `TimedOut` (try again), and `Rejected` (400, 403,
404, 410 and their like: the channel is dead). No error names the channel's address: it is a credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from api.core.alerts.catalogue import RULES
from api.core.alerts.rules import Kind
from api.core.errors import Unavailable

LISTED = 20
SIGNS: Mapping[str, str] = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}
_RESOLVED_SIGN = "🟢"


class Throttled(Unavailable):
    """The channel asks for patience: `retry_after`."""

    code = "provider_throttled"

    def __init__(self, message: str, *, provider: str, operation: str, retry_after: timedelta) -> None:
        super().__init__(message, provider=provider, operation=operation)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message. `key` is the alert's identity; `earlier` the channel's id of the message that began it."""

    id: str
    key: str
    kind: Kind
    severity: str
    title: str
    message: str
    at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    runbook: str = ""
    ack_url: str = ""
    earlier: str = ""

    @property
    def sign(self) -> str:
        return _RESOLVED_SIGN if self.kind is Kind.RESOLVED else SIGNS.get(self.severity, "⚪")

    @property
    def headline(self) -> str:
        word = {Kind.RESOLVED: "RESOLVED", Kind.REPEAT: f"STILL {self.severity.upper()}"}
        return f"{self.sign} [{word.get(self.kind, self.severity.upper())}] {self.title}"

    def document(self) -> dict[str, object]:
        """For a channel that takes any JSON."""
        return {
            "id": self.id,
            "key": self.key,
            "state": "resolved" if self.kind is Kind.RESOLVED else "firing",
            "severity": self.severity,
            "title": self.title,
            "message": self.message,
            "metadata": dict(self.metadata),
            "runbook": self.runbook,
            "acknowledge": self.ack_url or None,
            "at": self.at.isoformat(),
        }

    def text(self) -> str:
        """For people, without any markup."""
        facts = [f"{name}: {value}" for name, value in self.metadata.items()]
        links = [f"Runbook: {self.runbook}"] if self.runbook else []
        links += [f"Acknowledge: {self.ack_url}"] if self.ack_url else []
        return "\n".join([self.message, *facts, *links])


class AlertChannel(Protocol):
    @property
    def kind(self) -> str:
        """`slack`, `discord`, `json` or `local`."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the address, and does not give it away."""
        ...

    def send(self, message: AlertMessage) -> str:
        """The channel's id of the message, empty where it has none."""
        ...

    def read_back(self, sent_id: str) -> bool | None:
        """Whether the message is there for people to read; None where a channel cannot tell."""
        ...


def runbook(rule: str, base: str) -> str:
    """Where the rule's page is: below `base`, or in the repository."""
    return f"{base.rstrip('/') or 'deployments/runbooks'}/{RULES[rule].runbook}.md"


def duration(length: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
