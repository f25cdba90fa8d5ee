"""Work that goes on beside the requests of a process."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from api.db.engine import DATABASE_ERRORS


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """`work` runs until the block ends; it has ended, too, when this has."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def attended(
    work: Callable[[], Coroutine[Any, Any, None]],
    leave: Callable[[], Coroutine[Any, Any, None]],
    *,
    enabled: bool,
) -> AsyncGenerator[None]:
    """`work` beside the block, and `leave` at its end, with the database away or not; nothing of it unless
    `enabled`."""
    if not enabled:
        yield
        return
    try:
        async with beside(work()):
            yield
    finally:
        with suppress(*DATABASE_ERRORS):
            await leave()
