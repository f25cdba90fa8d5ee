"""Following a copy's recovery to its target, and opening it there.

A server in recovery answers connections from consistency on, which is before the target: only the pause
state tells that it has arrived.
"""

import re
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from api.core.backups.wal import format_lsn, parse_lsn
from api.core.errors import Rejected, TimedOut
from api.core.ports import Handle, OnProgress, Progress
from api.providers import full_disk
from api.providers.databases.embedded.cluster import tail
from api.providers.databases.embedded.processes import PROVIDER, postmaster_pid

_POLL_SECONDS = 0.05
_PROMOTE_SECONDS = 600
_REASON = re.compile(
    r"(?:LOG|FATAL|PANIC|WARNING): +(.*(?:checksum in record|invalid|incorrect|insufficient parameter"
    r"|recovery ended before|could not|contrecord).*)"
)


def wait_for_target(handle: Handle, folder: Path, dsn: str, on_progress: OnProgress, stall_s: float) -> None:
    """Return once replay is paused at the target. Raises `Rejected` when the copy gave up, `TimedOut` when
    replay has not moved for `stall_s` seconds."""
    start, stop = (parse_lsn(handle.details[name]) for name in ("start_lsn", "stop_lsn"))
    moved_at, last = time.monotonic(), -1
    with _Connection(dsn, folder / "data") as connection:
        while True:
            if postmaster_pid(folder / "data") is None:
                raise _gave_up(folder)
            state, replayed = connection.replay_state()
            if state in ("paused", "open"):
                break
            if replayed > last:
                moved_at, last = time.monotonic(), replayed
                on_progress(Progress("replay", float(max(0, replayed - start)), float(stop - start), "bytes"))
            if time.monotonic() - moved_at > stall_s:
                raise TimedOut(
                    f"Replay has not moved from {format_lsn(max(last, 0))} for {stall_s:.0f} s.",
                    provider=PROVIDER,
                    operation="replay",
                    fix=f"Read {folder / 'postgres.log'}.",
                )
            time.sleep(_POLL_SECONDS)
    if "insufficient parameter settings" in tail(folder / "postgres.log", 4000):
        raise _gave_up(folder)
    on_progress(Progress("replay", float(stop - start), float(stop - start), "bytes"))


def open_for_writing(dsn: str) -> None:
    """Promote, and return once the copy takes writes. Nothing to do when it does already."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        # paused at its target, the server promotes when told to go on; pg_promote takes up to a second more
        connection.execute(
            "SELECT CASE WHEN pg_is_in_recovery() AND pg_get_wal_replay_pause_state() = 'paused'"
            " THEN pg_wal_replay_resume() END"
        )
        deadline = time.monotonic() + _PROMOTE_SECONDS
        while time.monotonic() < deadline:
            if connection.execute("SELECT 1 WHERE NOT pg_is_in_recovery()").fetchone():
                return
            time.sleep(_POLL_SECONDS)
    raise TimedOut(
        f"The copy was not open after {_PROMOTE_SECONDS} s.",
        provider=PROVIDER,
        operation="promote",
        fix="Destroy the copy and start the drill again.",
    )


class _Connection:
    """One connection, made anew whenever the server is not ready for it or has dropped it."""

    def __init__(self, dsn: str, data: Path) -> None:
        self._dsn = dsn
        self._data = data
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def replay_state(self) -> tuple[str, int]:
        """(`starting` | `replaying` | `paused` | `open`, replayed LSN)."""
        with suppress(psycopg.OperationalError):
            if self._connection is None or self._connection.closed:
                if not _accepts_connections(self._data):
                    return "starting", 0
                self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
            row = self._connection.execute(
                "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'open'"
                " WHEN pg_get_wal_replay_pause_state() = 'paused' THEN 'paused' ELSE 'replaying' END,"
                " coalesce(pg_last_wal_replay_lsn(), '0/0')::text"
            ).fetchone()
            if row is not None:
                return row[0], parse_lsn(row[1])
        return "starting", 0


def _accepts_connections(data: Path) -> bool:
    """The last line of the pid file is the server's state; asking earlier would only fill its log."""
    with suppress(FileNotFoundError, IndexError):
        return (data / "postmaster.pid").read_text().splitlines()[7].startswith("ready")
    return False


def _gave_up(folder: Path) -> Rejected:
    log = tail(folder / "postgres.log", 8000)
    fix = "The stored WAL is damaged or incomplete there: choose another target, and take a backup."
    reasons = list(dict.fromkeys(match[1].strip() for match in _REASON.finditer(log)))
    return Rejected(
        f"Recovery stopped before the target: {'; '.join(reasons[-4:]) or log[-800:]}",
        provider=PROVIDER,
        operation="replay",
        fix=full_disk.FIX if full_disk.says_full(log) else fix,
    )
