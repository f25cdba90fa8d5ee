"""Connections of the hot paths: asynchronous, autocommit, prepared, a few per event loop.

A statement that finds its kept connection gone is tried once more on a fresh one, so that a restarted server
costs nobody an error; what runs here is therefore safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError

from api.db.address import DatabaseAddress

Connection = AsyncConnection[Any]
Result = TypeVar("Result")

# Who waits for a row that another transaction holds gives up soon: others wait behind.
_OPTIONS = "-c lock_timeout=1000 -c statement_timeout=10000"
_CONNECT_TIMEOUT_S = 3


@dataclass(slots=True)
class _Kept:
    loop: asyncio.AbstractEventLoop
    free: list[Connection]
    turns: asyncio.Semaphore
    open: dict[Connection, str] = field(default_factory=dict[Connection, str])  # and its address


class HotConnections:
    """At most `size` connections per event loop, opened when needed and kept."""

    def __init__(self, database: str | DatabaseAddress, size: int, application_name: str) -> None:
        self._address = DatabaseAddress.of(database)
        self._size, self._name = size, application_name
        self._loops: dict[int, _Kept] = {}

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` returns. Raises psycopg's errors: `OperationalError` when the database is away."""
        kept = self._here()
        async with kept.turns:
            while kept.free:
                connection = kept.free.pop()
                if self._address.stale(kept.open[connection]):
                    await self._drop(kept, connection)
                    continue
                try:
                    return await work(connection)
                except OperationalError:
                    if not connection.closed:
                        raise
                finally:
                    await self._return(kept, connection)
            url = self._address.url
            connection = await self._connect(url)
            kept.open[connection] = url
            try:
                return await work(connection)
            finally:
                await self._return(kept, connection)

    async def close(self) -> None:
        """Close this event loop's connections."""
        kept = self._loops.pop(id(asyncio.get_running_loop()), None)
        for connection in kept.open if kept else ():
            await connection.close()

    def _here(self) -> _Kept:
        loop = asyncio.get_running_loop()
        kept = self._loops.get(id(loop))
        if kept is None or kept.loop is not loop:
            self._forget_ended()
            kept = self._loops[id(loop)] = _Kept(loop, [], asyncio.Semaphore(self._size))
        return kept

    def _forget_ended(self) -> None:
        """A loop that ended without closing can wait for nothing any more: its sockets are just closed."""
        for key, kept in list(self._loops.items()):
            if kept.loop.is_closed():
                del self._loops[key]
                for connection in kept.open:
                    connection.pgconn.finish()

    async def _return(self, kept: _Kept, connection: Connection) -> None:
        """A connection in the middle of something (its caller was cancelled) is not used again."""
        broken = connection.closed or connection.info.transaction_status != 0
        if broken or self._address.stale(kept.open[connection]):
            await self._drop(kept, connection)
        else:
            kept.free.append(connection)

    async def _drop(self, kept: _Kept, connection: Connection) -> None:
        kept.open.pop(connection, None)
        await connection.close()

    async def _connect(self, url: str) -> Connection:
        return await AsyncConnection.connect(
            url,
            autocommit=True,
            prepare_threshold=0,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=self._name,
            options=_OPTIONS,
        )
