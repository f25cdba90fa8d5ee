"""The local outbox: messages become files that people and tests read. Nothing leaves the machine.

One JSON file per message, `{id, channel, to, subject, body, at}`, mode 0600; names sort by time. `at` is the
machine's time even where the product's clock stands still: whoever waits for a message needs it.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.core.clock import Clock, system_clock
from api.core.ids import new_id
from api.core.ports import OutgoingMessage


@dataclass(frozen=True, slots=True)
class StoredMessage:
    id: str
    channel: str
    to: str
    subject: str
    body: str
    at: datetime


class Outbox:
    name = "outbox"

    def __init__(self, folder: Path, clock: Clock = system_clock) -> None:
        self._folder = folder
        self._clock = clock

    def send(self, message: OutgoingMessage) -> str:
        """Write the message whole or not at all; returns its id."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stored = StoredMessage(id=new_id("msg"), at=self._clock(), **asdict(message))
        text = json.dumps({**asdict(stored), "at": stored.at.isoformat()}, indent=2)
        fresh = self._folder / f".{stored.id}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        fresh.rename(self._folder / f"{stored.at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{stored.id}.json")
        return stored.id

    def latest(self, to: str, after: datetime | None = None) -> StoredMessage | None:
        """The newest message to `to`, written at or after `after`."""
        for message in self._newest_first():
            if after is not None and message.at < after:
                return None
            if message.to == to:
                return message
        return None

    def messages(self, limit: int = 50) -> Sequence[StoredMessage]:
        """Newest first."""
        return [message for message, _ in zip(self._newest_first(), range(limit), strict=False)]

    def _newest_first(self) -> Iterator[StoredMessage]:
        for path in sorted(self._folder.glob("*.json"), reverse=True):
            fields: dict[str, Any] = json.loads(path.read_text())
            fields["at"] = datetime.fromisoformat(fields["at"])
            yield StoredMessage(**fields)
