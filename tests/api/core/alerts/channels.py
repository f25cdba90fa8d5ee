"""A channel that remembers what it got, and fails as told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from api.core.alerts.messages import AlertMessage, Throttled
from api.core.errors import ProviderError, Rejected, Unavailable


@dataclass
class Recorder:
    kind: str = "recorder"
    fingerprint: str = "a"
    failures: list[ProviderError] = field(default_factory=list[ProviderError])
    got: list[AlertMessage] = field(default_factory=list[AlertMessage])
    reads_back: bool | None = None

    def send(self, message: AlertMessage) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.got.append(message)
        return f"r{len(self.got)}"

    def read_back(self, sent_id: str) -> bool | None:
        return self.reads_back

    @property
    def kinds(self) -> list[str]:
        return [message.kind.value for message in self.got]


def unavailable() -> ProviderError:
    return Unavailable("recorder is away.", provider="recorder", operation="send")


def gone() -> ProviderError:
    return Rejected("recorder answered 404 no_service.", provider="recorder", operation="send")


def throttled(seconds: float) -> ProviderError:
    return Throttled(
        "recorder asks for patience.",
        provider="recorder",
        operation="send",
        retry_after=timedelta(seconds=seconds),
    )


def codes(messages: list[AlertMessage]) -> Iterator[str]:
    for message in messages:
        yield message.ack_url.rpartition("/")[2]
