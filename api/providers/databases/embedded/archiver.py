"""The S3 archiver: one long-running process that uploads finished segments before the server asks for them.

The server marks a finished segment with `archive_status/<segment>.ready`, then asks its archive_command for
one after the other. This process watches the marks, uploads several at a time and leaves `done/<segment>` or
`failed/<segment>` (with the reason) for the script in `archiving`.
"""

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

from api.core.backups.wal import parse_segment
from api.core.errors import FirstUserError, Refused
from api.core.ports import ObjectStore
from api.providers.databases.embedded.account import choose_account
from api.providers.databases.embedded.archiving import make_note_folders
from api.providers.databases.embedded.home import PostgresHome, open_home
from api.providers.databases.embedded.wal_files import PREFIX
from api.providers.stores import open_store
from api.settings import load

PARALLEL = 3
_POLL_SECONDS = 0.05
_RETRY_SECONDS = 5.0
_HEARTBEAT_SECONDS = 5.0

log = structlog.get_logger()


class Archiver:
    def __init__(self, home: PostgresHome, store: ObjectStore) -> None:
        self._wal = home.data / "pg_wal"
        self._notes = home.archiver
        self._store = store
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="upload")
        self._flying: dict[str, Future[None]] = {}
        self._settled: dict[str, float] = {}  # name → when it may be tried again (never: uploaded)

    def run(self, ended: threading.Event) -> None:
        """Until `ended` is set; what is being uploaded is finished."""
        beaten = 0.0
        while not ended.wait(_POLL_SECONDS):
            if time.monotonic() - beaten > _HEARTBEAT_SECONDS:
                (self._notes / "alive").touch()
                beaten = time.monotonic()
            self.step()
        self._pool.shutdown(wait=True)
        (self._notes / "alive").unlink(missing_ok=True)

    def step(self) -> None:
        """Note what has arrived, start what is ready, forget what the server has taken note of."""
        for name in [name for name, future in self._flying.items() if future.done()]:
            self._note(name, self._flying.pop(name))
        ready = self._ready()
        for name in [name for name in self._settled if name not in ready]:
            del self._settled[name]
            (self._notes / "done" / name).unlink(missing_ok=True)
        for name in ready:
            if len(self._flying) >= PARALLEL:
                return
            if name not in self._flying and self._settled.get(name, 0.0) <= time.monotonic():
                self._flying[name] = self._pool.submit(self._upload, name)

    def _ready(self) -> list[str]:
        """Oldest first; a timeline's history before its segments."""
        status = self._wal / "archive_status"
        if not status.is_dir():
            return []
        names = (path.name.removesuffix(".ready") for path in status.iterdir() if path.suffix == ".ready")
        return sorted(names, key=lambda name: (parse_segment(name) is not None, name))

    def _upload(self, name: str) -> None:
        """Absent: put. There already: fine when it is the same, else two servers share the archive."""
        key = PREFIX + name
        if any(stored.key == key for stored in self._store.list(key)):
            if not self._is_same(key, name):
                raise Refused(
                    f"{key} is in the store with other content.",
                    fix="Another server archives into this store: give each its own FIRSTUSER_STORE_URL.",
                )
            return
        self._store.put_file(key, self._wal / name)

    def _is_same(self, key: str, name: str) -> bool:
        copy = self._notes / f"compare-{name}"
        try:
            self._store.get_file(key, copy)
            return copy.read_bytes() == (self._wal / name).read_bytes()
        finally:
            copy.unlink(missing_ok=True)

    def _note(self, name: str, upload: Future[None]) -> None:
        try:
            upload.result()
        except (FirstUserError, OSError) as error:
            log.error("segment not archived", segment=name, reason=str(error))
            self._settled[name] = time.monotonic() + _RETRY_SECONDS
            _write(self._notes / "failed" / name, f"archive: {error}\n")
            return
        self._settled[name] = float("inf")
        (self._notes / "failed" / name).unlink(missing_ok=True)
        _write(self._notes / "done" / name, "")


def _write(note: Path, text: str) -> None:
    temporary = note.with_name(f".{note.name}")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.rename(note)


def main() -> None:
    """Run until SIGTERM or SIGINT. Start it before the server and stop it after."""
    settings = load()
    account = choose_account(settings.stack.postgres_os_user)
    home = open_home(settings.stack.state_dir, account)
    make_note_folders(home, account)
    ended = threading.Event()

    def end(_number: int, _frame: object) -> None:
        ended.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    Archiver(home, open_store(settings.store, home.store)).run(ended)


if __name__ == "__main__":
    main()
