"""A running process picks new secrets up: it looks at its environment file every few seconds, at once on
SIGHUP, and says in the database which versions it runs with.

Without such a file (a platform's own variables) the values are those of its start, and a redeploy brings new
ones.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from api.core.clock import Clock, system_clock
from api.core.crypto import fingerprint
from api.core.ids import new_id
from api.core.rotation import readers
from api.core.rotation.cadence import PLATFORM_KINDS
from api.db.address import login_of
from api.db.engine import DATABASE_ERRORS
from api.ring_file import RingFile, Turn
from api.settings.rings import DATABASE, Rings

LOOK_S = 1.0
NOTE_S = 10.0
_log = structlog.get_logger("rings")


def mark(name: str, value: str) -> str:
    """By what a version is known: of a database's address its login, which many addresses share."""
    return fingerprint(" ".join(login_of(value)) if name == DATABASE else value)


class LiveRings:
    """`turns`: what takes a ring's new values on, by the secret's name."""

    def __init__(
        self,
        service: str,
        known: Rings,
        file: Path | None,
        turns: Mapping[str, Sequence[Turn]],
        transaction: Callable[[], AbstractContextManager[Session]],
        clock: Clock = system_clock,
    ) -> None:
        self._service, self._file = service, RingFile(known, file, turns)
        self._transaction, self._clock = transaction, clock
        self._process = f"{socket.gethostname()}-{os.getpid()}-{new_id('p')[2:8]}"
        self._hint = asyncio.Event()

    @property
    def known(self) -> Rings:
        """What the process runs with by now."""
        return self._file.known

    def look(self) -> bool:
        """See `RingFile.look`."""
        return self._file.look()

    def note(self) -> None:
        """Raises `DATABASE_ERRORS`."""
        marks = {name: [mark(name, value) for value in ring] for name, ring in self._file.known.items()}
        with self._transaction() as session:
            readers.note(session, self._process, self._service, marks, PLATFORM_KINDS, self._clock())

    def hint(self) -> None:
        """Look now: SIGHUP came."""
        self._file.forget()
        self._hint.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        self._hint = asyncio.Event()
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(*DATABASE_ERRORS):
                await asyncio.to_thread(self._leave)

    async def _run(self) -> None:
        noted = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            changed = await asyncio.to_thread(self.look)
            if changed or loop.time() - noted >= NOTE_S:
                try:
                    await asyncio.to_thread(self.note)
                    noted = loop.time()
                except DATABASE_ERRORS as error:
                    _log.warning("secrets in use not told", kind=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._hint.wait()
            self._hint.clear()

    def _leave(self) -> None:
        with self._transaction() as session:
            readers.forget(session, self._process)
