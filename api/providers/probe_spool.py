"""What the watcher saw of `readyz`, a line a probe, in a file: it has no database in its path.

`append` never raises for a full disk: to page matters more. `read` takes whatever lines are whole.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import structlog

from api.core.incidents.readiness import Outcome, Probe

NAME = "probes.jsonl"
_LARGEST = 1_000_000
_log = structlog.get_logger("probes")


def append(path: Path, probe: Probe) -> None:
    """The file before it, once it has grown large, is kept beside it."""
    line = {"at": probe.at.isoformat(), "outcome": probe.outcome.value, "detail": probe.detail[:300]}
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            path.replace(_older(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        _log.warning("a probe is not remembered", kind=type(error).__name__)


def read(path: Path, since: datetime) -> list[Probe]:
    """In the order of their times."""
    found = [probe for each in (_older(path), path) for probe in _lines(each) if probe.at > since]
    return sorted(found, key=lambda probe: probe.at)


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _lines(path: Path) -> Iterator[Probe]:
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            said = json.loads(line)
            at = datetime.fromisoformat(said["at"])
            probe = Probe(at, Outcome(said["outcome"]), str(said["detail"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a line that a power cut tore
        if at.tzinfo is not None:
            yield probe
