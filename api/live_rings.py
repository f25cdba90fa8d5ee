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
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.core.clock import Clock, system_clock
from api.core.crypto import fingerprint
from api.core.errors import FirstUserError
from api.core.ids import new_id
from api.core.rotation import readers
from api.core.rotation.cadence import PLATFORM_KINDS
from api.db.engine import DATABASE_ERRORS
from api.settings.rings import Rings, read_rings

LOOK_S = 1.0
NOTE_S = 10.0
_log = structlog.get_logger("rings")
Turn = Callable[[Sequence[str]], None]


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
        self._service, self._known, self._file, self._turns = service, dict(known), file, turns
        self._transaction, self._clock = transaction, clock
        self._process = f"{socket.gethostname()}-{os.getpid()}-{new_id('p')[2:8]}"
        self._stamp: tuple[int, int] | None = None
        self._hint = asyncio.Event()

    def look(self) -> bool:
        """Take on what has changed; True when anything has. A file that cannot be read changes nothing."""
        if self._file is None or not self._changed(self._file):
            return False
        try:
            found = read_rings(self._file)
            fresh = {name: ring for name, ring in found.items() if name in self._turns}
            fresh = {name: ring for name, ring in fresh.items() if self._known.get(name) != ring}
            for name, ring in fresh.items():
                for turn in self._turns[name]:
                    turn(ring)
                self._known[name] = ring
        except (OSError, ValidationError, FirstUserError) as error:
            _log.error("secrets not taken on", kind=type(error).__name__)
            self._stamp = None
            return False
        if fresh:
            _log.info("secrets taken on", names=sorted(fresh))
        return bool(fresh)

    def note(self) -> None:
        """Raises `DATABASE_ERRORS`."""
        marks = {name: [fingerprint(value) for value in ring] for name, ring in self._known.items()}
        with self._transaction() as session:
            readers.note(session, self._process, self._service, marks, PLATFORM_KINDS, self._clock())

    def hint(self) -> None:
        """Look now: SIGHUP came."""
        self._stamp = None
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

    def _changed(self, file: Path) -> bool:
        """The file was replaced, or never looked at."""
        try:
            seen = file.stat()
        except OSError:
            return False
        stamp = (seen.st_mtime_ns, seen.st_ino)
        changed, self._stamp = stamp != self._stamp, stamp
        return changed

    def _leave(self) -> None:
        with self._transaction() as session:
            readers.forget(session, self._process)
