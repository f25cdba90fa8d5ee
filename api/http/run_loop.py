"""Looks at flow runs that cannot speak for themselves, for as long as the API runs.

    every 30 seconds  Prefect is asked what is late, stuck or dead; that it answers is its sign of life

It must not be a flow: with no worker, or no Prefect, none would run. Any number of these may look at once.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta

import anyio
import structlog
from starlette.concurrency import run_in_threadpool

from api.core.alerts import runs, service
from api.core.clock import Clock
from api.core.errors import FirstUserError
from api.db.engine import DATABASE_ERRORS, Session
from api.http.background import attended
from api.providers.orchestration.prefect import Prefect

LOOK_EVERY = timedelta(seconds=30)
FIRST_LOOK_AFTER = timedelta(seconds=5)
_log = structlog.get_logger("api.runs")


class RunLoop:
    """Stands still on a copy, on staging, and where no Prefect is configured."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Session]],
        prefect: Prefect,
        env: str,
        clock: Clock,
        *,
        enabled: bool,
    ) -> None:
        self._transaction, self._prefect, self._env, self._clock = transaction, prefect, env, clock
        self._enabled = enabled
        self._said = ""

    def running(self) -> AbstractAsyncContextManager[None]:
        return attended(self._run, self._leave, enabled=self._enabled)

    def turn(self) -> None:
        """One look. Raises `FirstUserError` when Prefect does not answer, `DATABASE_ERRORS`."""
        now = self._clock()
        found = self._prefect.troubled(now)
        with self._transaction() as session:
            trouble = runs.judge(found, runs.told(session, found), now)
            runs.tell(session, self._env, trouble, now)
            service.beat(session, runs.LOOP, runs.SILENCE, now)

    async def _leave(self) -> None:
        await run_in_threadpool(self._retire)

    def _retire(self) -> None:
        """Others that look say so again within the minute."""
        with self._transaction() as session:
            service.retire(session, runs.LOOP)

    async def _run(self) -> None:
        pause = FIRST_LOOK_AFTER
        while True:
            await anyio.sleep(pause.total_seconds())
            pause = LOOK_EVERY
            said = ""
            try:
                await run_in_threadpool(self.turn)
            except FirstUserError as error:
                said = error.message
            except DATABASE_ERRORS as error:
                said = f"the database fails: {type(error).__name__}"
            if said and said != self._said:
                _log.warning("flow runs are not looked at", why=said)
            self._said = said
