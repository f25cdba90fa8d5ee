"""Hearing what the database tells (NOTIFY) on one connection per process: a hint that something changed.

What is heard may be late or lost; whoever listens asks again from time to time, and at once after `standing`
was told that the connection is there again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from psycopg import AsyncConnection, Error, sql

from api.db.address import DatabaseAddress

_AGAIN_S = 1.0
_LOOK_S = 2.0  # whether the address is still the same
_CONNECT_TIMEOUT_S = 3
_log = structlog.get_logger("api.listening")


class Listener:
    """`heard`: channel → what is done with a payload. `standing`: told of each beginning and end."""

    def __init__(
        self,
        database: str | DatabaseAddress,
        application_name: str,
        heard: Mapping[str, Callable[[str], None]],
        standing: Callable[[bool], None],
    ) -> None:
        self._address = DatabaseAddress.of(database)
        self._name, self._heard, self._standing = application_name, heard, standing

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """While the block runs; a lost connection is made anew."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self) -> None:
        while True:
            try:
                url = self._address.url
                async with await self._connect(url) as connection:
                    await self._hear(connection, url)
                    continue
            except Error as error:
                _log.warning("not listening", kind=type(error).__name__)
            finally:
                self._standing(False)
            await asyncio.sleep(_AGAIN_S)

    async def _hear(self, connection: AsyncConnection[Any], url: str) -> None:
        """Until the address is another one."""
        for channel in self._heard:
            await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        self._standing(True)
        while not self._address.stale(url):
            async for notice in connection.notifies(timeout=_LOOK_S):
                self._heard[notice.channel](notice.payload)

    async def _connect(self, url: str) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=self._name,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=2,
        )
