"""A process of the API takes new secrets on when SIGHUP says so, whatever its file's time says."""

import os
import secrets
import signal
import time
from pathlib import Path

from sqlalchemy.orm import Session

from api.core.clock import system_clock
from api.core.crypto import fingerprint
from api.core.rotation import readers
from api.core.rotation.readers import Reader
from api.db.engine import Engine, make_engine
from api.live_rings import LOOK_S
from api.settings import Settings
from api.settings.rings import SESSION
from tests.product import seeded
from tests.serving import processes

__all__ = ["seeded"]


def test_sighup_reloads_the_secrets_of_a_running_process(seeded: Settings, tmp_path: Path) -> None:
    """The file is written in place and keeps its time: who only looks now and then sees nothing new."""
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    file = tmp_path / "production.env"
    file.write_text(f"{SESSION}='{old}'\n")
    engine = make_engine(seeded.platform.database_url.get_secret_value())
    with processes(seeded, 1, file):
        first = until_preferred(engine, old)
        process, stamp = int(first.process.split("-")[-2]), file.stat()
        os.kill(process, signal.SIGSTOP)  # it sees the file before or after, not in between
        file.write_text(f"{SESSION}='{new}'\n{SESSION}_PREVIOUS='{old}'\n")
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        os.kill(process, signal.SIGCONT)
        time.sleep(2 * LOOK_S)
        assert preferring(engine, new) is None
        os.kill(process, signal.SIGHUP)
        then = until_preferred(engine, new)
        assert then.process == first.process and then.accepts(SESSION, fingerprint(old))
    engine.dispose()


def until_preferred(engine: Engine, secret: str) -> Reader:
    deadline = time.monotonic() + 30
    while (found := preferring(engine, secret)) is None:
        assert time.monotonic() < deadline, "no process runs with it"
        time.sleep(0.05)
    return found


def preferring(engine: Engine, secret: str) -> Reader | None:
    with Session(engine) as session:
        living = readers.living(session, SESSION, system_clock())
    return next((one for one in living if one.prefers(SESSION, fingerprint(secret))), None)
