"""Free ports and scratch folders for servers of the benches."""

import os
import shutil
import socket
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from api.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch_settings(settings: Settings, below: Path) -> Generator[tuple[Settings, Path]]:
    """Settings of a cluster of its own in a fresh folder below `below`, which is removed at the end."""
    below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="restore-", dir=below))
    folder.chmod(0o755)
    stack = settings.stack.model_copy(update={"state_dir": folder, "postgres_port": free_port()})
    store = settings.store.model_copy(update={"url": ""})
    before = os.environ.get("PGPASSFILE")
    os.environ["PGPASSFILE"] = str(folder / "secrets" / "pgpass")
    try:
        yield replace(settings, stack=stack, store=store), folder
    finally:
        if before is None:
            del os.environ["PGPASSFILE"]
        else:
            os.environ["PGPASSFILE"] = before
        shutil.rmtree((folder / "pg").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
