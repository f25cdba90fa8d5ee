"""Requests that wait in the same event loop share one statement.

The batches that run are the window for the next one: no timer, nothing is acknowledged before it is
committed. `at_once` of them run side by side, so that the database has work while one of them is being
written to disk.
When a batch fails while its connection stands, each of its items is tried alone, so that one of them cannot
spoil the others'. Every waiter gets an answer or an error.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from psycopg import OperationalError
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Run = Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]

_MAX_WAITING = 20_000


class Overloaded(OperationalError):
    """More requests wait for the database than it will answer in time."""


class Batches(Generic[Item, Answer]):
    """`run` answers many items at once, in their order, and is safe to repeat."""

    def __init__(self, run: Run[Item, Answer], largest: int, at_once: int = 1) -> None:
        self._run, self._largest, self._at_once = run, largest, at_once
        self._lines: dict[int, _Line[Item, Answer]] = {}  # by thread: one loop at a time runs in it

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        """What `run` answers or raises for this item: `OperationalError` when the database is away."""
        line = self._lines.get(threading.get_ident())
        if line is None or not line.loop.is_running():
            line = _Line(asyncio.get_running_loop(), self._run, self._largest, self._at_once)
            self._lines[threading.get_ident()] = line
        return line.join(item)

    async def drain(self) -> None:
        """Return when nothing waits in this event loop any more."""
        line = self._lines.get(threading.get_ident())
        if line is not None and line.tasks:
            await asyncio.wait(line.tasks)


class _Line(Generic[Item, Answer]):
    """Who waits in one event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Run[Item, Answer], largest: int, at_once: int
    ) -> None:
        self.loop = loop
        self.tasks: set[asyncio.Task[None]] = set()
        self._run, self._largest, self._at_once = run, largest, at_once
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()

    def join(self, item: Item) -> asyncio.Future[Answer]:
        if len(self._waiting) >= _MAX_WAITING:
            raise Overloaded("too many requests wait for the database")
        future: asyncio.Future[Answer] = self.loop.create_future()
        self._waiting.append((item, future))
        if len(self.tasks) < self._at_once:
            self.tasks.add(self.loop.create_task(self._work()))
        return future

    async def _work(self) -> None:
        try:
            while self._waiting:
                some = min(len(self._waiting), self._largest)
                await self._settle([self._waiting.popleft() for _ in range(some)])
        finally:  # not in a callback of the task: until that ran, who joins would wait for nobody
            self.tasks = {task for task in self.tasks if task is not asyncio.current_task()}

    async def _settle(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        error = await self._attempt(batch)
        if error is not None and len(batch) > 1 and _may_be_one_items_fault(error):
            error = await self._settle_alone(batch)
        if error is not None:
            _fail(batch, error)

    async def _settle_alone(
        self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]
    ) -> BaseException | None:
        """One by one; stops with the error that would be everybody's."""
        for each in batch:
            error = await self._attempt([each])
            if error is not None and not _may_be_one_items_fault(error):
                return error
            if error is not None:
                _fail([each], error)
        return None

    async def _attempt(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> BaseException | None:
        """The error that the batch ended with. A task of its own holds it, whatever it is."""
        task = self.loop.create_task(self._ran(batch))
        await asyncio.wait([task])
        if task.cancelled():
            return OperationalError("the process is going away")
        error = task.exception()
        if error is None:
            for (_, future), answer in zip(batch, task.result(), strict=True):
                if not future.done():
                    future.set_result(answer)
        return error

    async def _ran(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> Sequence[Answer]:
        return await self._run([item for item, _ in batch])


def _fail(batch: Iterable[tuple[Item, asyncio.Future[Answer]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _may_be_one_items_fault(error: BaseException) -> bool:
    """Without a connection all are alike; a deadlock, a held lock or a slow row is not everybody's."""
    if isinstance(error, OperationalError):
        return isinstance(error, (DeadlockDetected, LockNotAvailable, QueryCanceled))
    return True
