"""The watcher's memory on disk: written whole or not at all, so a `kill -9` at any moment loses nothing."""

import os
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from api.core.alerts.probing import Watch

_WATCH = TypeAdapter(Watch)
_log = structlog.get_logger("watcher")


def read(path: Path) -> Watch:
    """What was remembered; a fresh memory where there is none that can be read."""
    try:
        return _WATCH.validate_json(path.read_bytes())
    except FileNotFoundError:
        return Watch()
    except ValidationError as error:
        _log.warning("the memory cannot be read and begins anew", errors=error.error_count())
        return Watch()


def write(path: Path, watch: Watch) -> None:
    """On the disk when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_WATCH.dump_json(watch))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
