"""How many are live, counted once for all who ask at the same time.

Counting costs in proportion to the crowd. What took longer than `WORTH_KEEPING_S` is kept for `KEPT_S`; what
is counted in a blink is counted anew, so that small spaces see each other come and go at once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KEPT_S = 1.0
WORTH_KEEPING_S = 0.005
_MAX_KEPT = 10_000

Who = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Counted:
    count: int
    began: float
    kept_until: float


class LiveCounts:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._found: dict[Who, _Counted] = {}
        self._turns: dict[Who, threading.Lock] = {}

    def of(self, integration_ids: Sequence[str], count: Callable[[], int]) -> int:
        """What `count` says, now or within the last second. One thread counts; who came meanwhile shares the
        count that began after them."""
        who, asked_at = tuple(integration_ids), self._monotonic()
        with self._lock:
            turn = self._turns.setdefault(who, threading.Lock())
        with turn:
            found = self._found.get(who)
            if found is not None and (found.began >= asked_at or found.kept_until > asked_at):
                return found.count
            began = self._monotonic()
            counted = count()
            self.keep(who, counted, began)
        return counted

    def known(self, who: Who) -> int | None:
        """What is kept of an earlier count."""
        found = self._found.get(who)
        return found.count if found is not None and found.kept_until > self._monotonic() else None

    def keep(self, who: Who, counted: int, began: float) -> None:
        """What a count said that began then and has just ended."""
        now = self._monotonic()
        with self._lock:
            if len(self._found) >= _MAX_KEPT:
                self._found.clear()
                self._turns.clear()
            kept_until = now + KEPT_S if now - began >= WORTH_KEEPING_S else began
            self._found[who] = _Counted(counted, began, kept_until)
