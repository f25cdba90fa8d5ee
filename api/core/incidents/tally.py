"""Counting exchanges in memory, as cheaply as it can be done: two additions to a list a call.

What is handed out are counters of this process by minute and integration, which only grow: written down
twice they are the same. What was not handed out yet, a second's worth, is lost with the process.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import NamedTuple

EVERYBODY = ""
"""The scope of the whole service."""

_KEPT_MINUTES = 120


class Count(NamedTuple):
    """Of one minute. `integration_id` "": attempts of nobody that is known, and the sign that we count."""

    minute: datetime
    integration_id: str
    failed: int
    attempted: int


@dataclass(slots=True)
class _Counter:
    failed: int = 0
    attempted: int = 0
    written: bool = False


class Tally:
    """For one event loop: nobody counts while `due` or `settle` runs."""

    def __init__(self, minute: Callable[[float], int], clock: Callable[[], float] = time) -> None:
        self._minute, self._clock = minute, clock
        self._counters: dict[tuple[int, str], _Counter] = {}

    def succeeded(self, integration_id: str) -> None:
        self._counter(integration_id).attempted += 1

    def failed(self, integration_id: str) -> None:
        """A 5xx, a timeout or a dependency that failed; nothing that the partner did wrong."""
        counter = self._counter(integration_id)
        counter.attempted += 1
        counter.failed += 1

    def due(self) -> Sequence[Count]:
        """What is not written down yet. To be asked every second or so: a minute in which it was asked is
        one that was watched, even when nothing was counted in it."""
        now = self._minute(self._clock())
        self._counters.setdefault((now, EVERYBODY), _Counter())
        self._forget(now - _KEPT_MINUTES)
        return [
            Count(datetime.fromtimestamp(minute * 60, UTC), integration_id, counter.failed, counter.attempted)
            for (minute, integration_id), counter in self._counters.items()
            if not counter.written
        ]

    def settle(self, written: Iterable[Count]) -> None:
        """These are written down. What was counted meanwhile is due again."""
        now = self._minute(self._clock())
        for count in written:
            minute = int(count.minute.timestamp()) // 60
            counter = self._counters.get((minute, count.integration_id))
            if counter and (counter.failed, counter.attempted) == (count.failed, count.attempted):
                counter.written = True
                if minute < now - 1:
                    del self._counters[minute, count.integration_id]

    def _counter(self, integration_id: str) -> _Counter:
        key = (self._minute(self._clock()), integration_id)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _Counter()
        counter.written = False
        return counter

    def _forget(self, before: int) -> None:
        """The database has been away for hours: what is that old changes no verdict any more."""
        for key in [key for key in self._counters if key[0] < before]:
            del self._counters[key]
