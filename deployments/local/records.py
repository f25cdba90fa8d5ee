"""What is known of each part's process across the supervisor's death: `run/<part>.json`.

A process id alone may have been given to somebody else by now; with its start time it names one process.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from deployments.local.ending import runs
from deployments.local.layout import StateFolder, write_private
from deployments.local.parts import ALL

START_TIME_TOLERANCE_S = 0.1


@dataclass(frozen=True, slots=True)
class Record:
    """`starts` since the last `up`."""

    pid: int
    created: float
    starts: int

    def process(self) -> psutil.Process | None:
        """The process, if it still is the one that was recorded."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < START_TIME_TOLERANCE_S
        except psutil.NoSuchProcess:
            return None
        return process if same and runs(process) else None


def _path(state: StateFolder, name: str) -> Path:
    return state.run / f"{name}.json"


def read(state: StateFolder, name: str) -> Record | None:
    try:
        return Record(**json.loads(_path(state, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def note(state: StateFolder, name: str, pid: int) -> None:
    """Record that `pid` is the part now."""
    before = read(state, name)
    record = Record(pid, psutil.Process(pid).create_time(), before.starts + 1 if before else 1)
    write_private(_path(state, name), json.dumps(asdict(record)))


def forget(state: StateFolder, name: str) -> None:
    _path(state, name).unlink(missing_ok=True)


def survivors(state: StateFolder) -> Sequence[tuple[str, psutil.Process]]:
    """Recorded processes that still run."""
    found: list[tuple[str, psutil.Process]] = []
    for name in ("supervisord", *(part.name for part in ALL)):
        record = read(state, name)
        process = record.process() if record else None
        if process is not None:
            found.append((name, process))
    return found
