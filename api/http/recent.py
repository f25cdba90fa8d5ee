"""An answer that is good for a few seconds: what anybody may ask for costs the same however many ask."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """One caller makes the answer, the others wait for it; after `seconds` it is made anew."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._monotonic = seconds, monotonic
        self._lock = Lock()
        self._known: tuple[float, T] | None = None

    def get(self, make: Callable[[], T]) -> T:
        with self._lock:
            if self._known is None or self._monotonic() - self._known[0] >= self._seconds:
                made = make()
                self._known = self._monotonic(), made
            return self._known[1]
