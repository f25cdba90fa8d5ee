"""Ending processes that are not our children: wait, then ask, then kill.

One that has ended but was not collected by its parent (a container without an init) counts as gone.
"""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

ASKED_S = 5
POLL_S = 0.05


def end(processes: Sequence[psutil.Process], patience_s: float, ask: signal.Signals = signal.SIGTERM) -> None:
    """Return once all are gone. `patience_s`: how long they may take by themselves."""
    alive = _wait(processes, patience_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(ask)
    alive = _wait(alive, ASKED_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(alive, ASKED_S)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after `seconds`."""
    deadline = time.monotonic() + seconds
    alive = [process for process in processes if runs(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(POLL_S)
        alive = [process for process in alive if runs(process)]
    return alive
