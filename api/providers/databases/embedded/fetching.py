"""Bringing the WAL that a copy needs onto this machine, several segments at a time, ahead of replay.

A segment that is on its way has a note in `.expected/`; restore-segment waits for those and for nothing else.
When fetching fails or this process dies, the notes go or go stale, and every waiter is released.
"""

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from api.core.backups.wal import SEGMENT_BYTES, Segment
from api.core.ports import ObjectStore
from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.wal_files import PREFIX

PARALLEL = 3
_HEARTBEAT_SECONDS = 5


class WalFetch:
    """Fetches `segments` into `folder` in order. Use as a context manager: leaving it waits, or gives up."""

    def __init__(
        self,
        store: ObjectStore,
        segments: Sequence[Segment],
        folder: Path,
        account: OsAccount,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._store = store
        self._segments = segments
        self._folder = folder
        self._account = account
        self._on_bytes = on_bytes
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="wal")
        self._flying: list[Future[None]] = []
        self._ended = threading.Event()

    def __enter__(self) -> "WalFetch":
        for folder in (self._folder, self._expected):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._account.own(folder)
        self._alive.touch()
        for segment in self._segments:
            (self._expected / segment.name).touch()
        threading.Thread(target=self._beat, daemon=True).start()
        self._flying = [self._pool.submit(self._fetch, segment) for segment in self._segments]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._release()

    def finish(self) -> None:
        """Wait for all. Raises what the first failed fetch raised."""
        for each in self._flying:
            each.result()

    def check(self) -> None:
        """Raise if a fetch has failed already."""
        for each in self._flying:
            if each.done():
                each.result()

    @property
    def _expected(self) -> Path:
        return self._folder / ".expected"

    @property
    def _alive(self) -> Path:
        return self._folder / ".alive"

    def _fetch(self, segment: Segment) -> None:
        if self._ended.is_set():
            return
        try:
            arriving = self._folder / f".arriving-{segment.name}"
            self._store.get_file(PREFIX + segment.name, arriving)
            self._account.own(arriving)
            arriving.rename(self._folder / segment.name)
            self._on_bytes(SEGMENT_BYTES)
            (self._expected / segment.name).unlink(missing_ok=True)
        except BaseException:
            self._release_waiters()
            raise

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            self._alive.touch()

    def _release(self) -> None:
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._release_waiters()

    def _release_waiters(self) -> None:
        self._ended.set()
        shutil.rmtree(self._expected, ignore_errors=True)
