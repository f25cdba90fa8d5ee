"""The places where a process can be struck dead: each task's begin and end, each write of the database's, and
each call to the outside, before it and after it.

They are discovered by passing them, in the order of one run: `strike` is the number of the one that kills.
"""

import functools
import inspect
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from prefect import Task
from psycopg.pq import TransactionStatus

_LOCK = threading.Lock()


class Points:
    """`passed` are the labels since they were `armed`, which is when the flow begins."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.strike: int | None = None
        self.armed = False

    def at(self, label: str) -> None:
        with _LOCK:
            if not self.armed:
                return
            self.passed.append(label)
            if len(self.passed) == self.strike:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    @contextmanager
    def around(self, label: str) -> Generator[None]:
        self.at(f"{label}: before")
        yield
        self.at(f"{label}: after")


POINTS = Points()


def watch_tasks() -> None:
    """A task is its function, and nothing of Prefect's around it."""

    def call(self: Task[Any, Any], *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(self.fn):
            return _awaited(self, args, kwargs)
        with POINTS.around(f"task {self.name!r}"):
            return self.fn(*args, **kwargs)

    async def _awaited(task: Task[Any, Any], args: Any, kwargs: Any) -> Any:
        with POINTS.around(f"task {task.name!r}"):
            return await task.fn(*args, **kwargs)

    Task.__call__ = call  # type: ignore[method-assign,assignment]


def watch_commits() -> None:
    """Commits that write; the others change nothing for anybody."""
    plain = psycopg.Connection.commit

    @functools.wraps(plain)
    def commit(self: psycopg.Connection[Any]) -> None:
        if not _writes(self):
            plain(self)
            return
        with POINTS.around("commit"):
            plain(self)

    psycopg.Connection.commit = commit  # type: ignore[method-assign]


def _writes(connection: psycopg.Connection[Any]) -> bool:
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        return False
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        row = cursor.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
    return row is not None and bool(row[0])


def watch_calls(owner: Any, name: str, label: str | None = None) -> None:
    """Every call of `owner.name`, a plain or an asynchronous function."""
    plain: Callable[..., Any] = getattr(owner, name)
    said = label or f"{getattr(owner, '__name__', owner)}.{name}"

    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        with POINTS.around(said):
            return plain(*args, **kwargs)

    @functools.wraps(plain)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        with POINTS.around(said):
            return await plain(*args, **kwargs)

    setattr(owner, name, awaited if inspect.iscoroutinefunction(plain) else call)
