"""Sends alerts and looks at what nobody raises, for as long as the API runs.

    every second      what is due is sent
    every 10 seconds  5xx of this process are counted into their minute; heartbeats, repeats, ends are checked

Every API process does it and so does the Prefect flow `alerts`: any of them is enough, all are safe together.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import structlog
from starlette.concurrency import run_in_threadpool

from api import request_log
from api.core.alerts import service, watching
from api.core.alerts.desk import Desk
from api.db.engine import DATABASE_ERRORS
from api.http.background import attended

NAME = "alert-sender"
SILENCE = timedelta(minutes=2)
CHECK_EVERY = timedelta(seconds=10)
_TURN_S = 1.0
_log = structlog.get_logger("api.alerts")


class AlertLoop:
    """Stands still on a restored copy: its alerts are long over, and its people somebody else's."""

    def __init__(self, desk: Desk, *, enabled: bool) -> None:
        self._desk, self._enabled = desk, enabled
        self._checked_at: datetime | None = None
        self._away = False

    def running(self) -> AbstractAsyncContextManager[None]:
        return attended(self._run, self._leave, enabled=self._enabled)

    def turn(self) -> None:
        """One second's work. Raises `DATABASE_ERRORS`."""
        now = self._desk.clock()
        if self._checked_at is None or now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self._count(now)
            self._desk.check()
        self._desk.send_due()

    def _count(self, now: datetime) -> None:
        """What was answered while the database was away is that outage's, and lost on purpose."""
        answers, failures = request_log.lines.take()
        with self._desk.transaction() as session:
            service.beat(session, NAME, SILENCE, now)
            if not self._away and answers:
                minute = now.replace(second=0, microsecond=0)
                watching.count_answers(session, self._desk.words.env, minute, answers, failures, now)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TURN_S)
            try:
                await run_in_threadpool(self.turn)
            except DATABASE_ERRORS as error:
                if not self._away:
                    _log.warning("no alerts from here: the database fails", kind=type(error).__name__)
                self._away = True
            else:
                self._away = False

    async def _leave(self) -> None:
        await run_in_threadpool(self._retire)

    def _retire(self) -> None:
        with self._desk.transaction() as session:
            service.retire(session, NAME)
