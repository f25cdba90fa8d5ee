"""Counts, once a minute, how many are live in each integration, and writes down who has fallen silent: one
process of all does so each minute."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime

import structlog
from starlette.concurrency import run_in_threadpool

from api.core.clock import Clock
from api.core.presence import minutes, service
from api.db.engine import DATABASE_AWAY, Session, driver_connection
from api.http.background import beside

_PRUNE_EVERY = 60
_log = structlog.get_logger("api.sampler")


class Sampler:
    """Stands still where nothing may change: on a restored copy, or while the clock does not move."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Session]],
        clock: Clock,
        window_seconds: int,
        *,
        enabled: bool,
    ) -> None:
        self._transaction, self._clock, self._window = transaction, clock, window_seconds
        self._enabled = enabled

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        if not self._enabled:
            yield
            return
        async with beside(self._run()):
            yield

    def sample(self, now: datetime) -> int:
        """The rows written; 0 when another process has the minute."""
        with self._transaction() as session:
            connection = driver_connection(session)
            written = minutes.sample(connection, now, self._window)
            if written and now.minute % _PRUNE_EVERY == 0:
                minutes.prune(connection, now)
            return written

    def let_the_silent_leave(self, now: datetime) -> int:
        """All of them, a transaction for as many as hold nobody up; returns how many."""
        total = 0
        while True:
            with self._transaction() as session:
                left = service.leave_silently(driver_connection(session), now, self._window)
            total += left
            if left < service.SILENT_AT_ONCE:
                return total

    def minute(self, now: datetime) -> None:
        """Both, unless another process has the minute."""
        if self.sample(now):
            self.let_the_silent_leave(now)

    async def _run(self) -> None:
        while True:
            now = self._clock()
            await asyncio.sleep((minutes.minute_of(now) + minutes.MINUTE - now).total_seconds())
            try:
                await run_in_threadpool(self.minute, self._clock())
            except DATABASE_AWAY as error:
                _log.warning("not counted", kind=type(error).__name__)
