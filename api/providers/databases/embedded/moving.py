"""How far a backup is, for those who wait: bytes that moved, and what the server says of a base backup."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import structlog

from api.core.ports import OnProgress, Progress

_LOOK_EVERY_S = 0.5
_STREAMED = """
SELECT p.backup_streamed, coalesce(p.backup_total, 0)
  FROM pg_stat_progress_basebackup p JOIN pg_stat_activity USING (pid)
 WHERE application_name = %s AND p.phase = 'streaming database files'
"""
_log = structlog.get_logger("backups")


class Moved:
    """Adds up the bytes of a phase, from several threads."""

    def __init__(self, phase: str, total: int, on_progress: OnProgress) -> None:
        self._phase = phase
        self._total = total
        self._done = 0
        self._on_progress = on_progress
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            total = max(self._total, self._done)
            self._on_progress(Progress(self._phase, float(self._done), float(total), "bytes"))


@contextmanager
def streamed(dsn: str, label: str, on_progress: OnProgress, *, whole: bool) -> Generator[None]:
    """Look at the base backup `label` as the server sees it, while it is taken.

    Not `whole`: how much an incremental one will stream the server does not know."""
    ended = threading.Event()
    looking = threading.Thread(target=_look, args=(dsn, label, on_progress, whole, ended), daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()


def _look(dsn: str, label: str, on_progress: OnProgress, whole: bool, ended: threading.Event) -> None:
    try:
        while not ended.wait(_LOOK_EVERY_S):
            with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
                row = connection.execute(_STREAMED, (label,)).fetchone()
            if row is not None:
                total = float(row[1]) if whole else 0.0
                on_progress(Progress("copy", float(row[0]), total, "bytes"))
    except psycopg.Error as error:  # the backup itself says what is wrong with the server
        _log.warning("the progress of a backup is not seen", kind=type(error).__name__)
