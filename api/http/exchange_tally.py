"""Counts access exchanges for the incident watch, and writes the counts down once a second.

The fast lane counts what it answers, `TalliedRoute` what it leaves. Bad codes, limits and bad keys are
neither attempts nor failures. A process that is killed loses what it counted in the open second, no more.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.core.incidents import telemetry
from api.core.incidents.pace import Pace
from api.core.incidents.tally import EVERYBODY, Count, Tally
from api.core.incidents.telemetry import Instance
from api.db.engine import DATABASE_ERRORS, Session
from api.http import errors
from api.http.background import attended

_EVERY_S = 1.0
_log = structlog.get_logger("api.exchange_tally")


class ExchangeReports:
    """Stands still on a restored copy: what happened there happened long ago."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Session]],
        pace: Pace,
        flags: Callable[[], str],
        release: str,
        deploy_id: str,
        *,
        enabled: bool,
    ) -> None:
        self.tally = Tally(pace.minute)
        self._transaction, self._pace, self._flags = transaction, pace, flags
        self._release, self._deploy_id = release, deploy_id
        self._enabled, self._away = enabled, False
        self.instance = f"{socket.gethostname()}-{os.getpid()}"

    def running(self) -> AbstractAsyncContextManager[None]:
        return attended(self._run, self._leave, enabled=self._enabled)

    async def report(self) -> None:
        """Write down what is due. Raises `DATABASE_ERRORS`; it stays due then."""
        due, flags = self.tally.due(), self._flags()
        await run_in_threadpool(self._write, due, flags)
        self.tally.settle(due)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.report()
            except DATABASE_ERRORS as error:
                if not self._away:
                    _log.warning("exchanges are counted and not written down", kind=type(error).__name__)
                self._away = True
            else:
                self._away = False

    def _write(self, due: Sequence[Count], flags: str) -> None:
        with self._transaction() as session:
            now = telemetry.database_now(session)
            telemetry.record(session, self.instance, due, self._pace.at(now))
            telemetry.beat(session, Instance(self.instance, self._release, self._deploy_id, flags, now))

    async def _leave(self) -> None:
        await self.report()
        await run_in_threadpool(self._forget)

    def _forget(self) -> None:
        with self._transaction() as session:
            telemetry.leave(session, self.instance)


class TalliedRoute(APIRoute):
    """A route whose answers are counted, whoever refuses or fails on the way to it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def tallied(request: Request) -> Response:
            tally: Tally = request.app.state.services.exchange_reports.tally
            try:
                answer = await handle(request)
            except Exception as error:
                if errors.is_server_failure(error):
                    tally.failed(getattr(request.state, "integration_id", EVERYBODY))
                raise
            tally.succeeded(request.state.integration_id)
            return answer

        return tallied
