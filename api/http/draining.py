"""Going away without losing anything: what SIGTERM sets in motion, and what open streams wait for.

    SIGTERM → `begun`: readyz says 503 → the balancer's interval (FIRSTUSER_DRAIN_SECONDS)
            → `ending`: streams close, the listener closes, requests in flight finish → exit

A stream ends by itself when `await at.draining.ended()` returns; whoever it served connects again and is
sent to another process, because this one no longer listens.
"""

import asyncio


class Draining:
    def __init__(self) -> None:
        self.begun = False
        self._ending = asyncio.Event()

    @property
    def ending(self) -> bool:
        return self._ending.is_set()

    def begin(self) -> None:
        self.begun = True

    def end(self) -> None:
        """On the event loop's thread only."""
        self.begun = True
        self._ending.set()

    async def ended(self) -> None:
        """Returns when streams have to end; for ever otherwise, so race it: `asyncio.wait({next, ended})`."""
        await self._ending.wait()
