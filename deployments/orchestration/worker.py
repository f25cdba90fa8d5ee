"""The worker's process on a platform: `serve_worker(pool, kind)`, until SIGTERM.

A platform says SIGTERM and kills everything some time later. Prefect's worker then takes nothing new and
waits for its runs. Those that are not done after `DRAIN_S` are told to end, as in the embedded stack: their
`finally` blocks run, and what they leave undone the next sweep undoes. Give it `STOP_S` before the kill.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from api import log
from deployments.local.lifeline import GRACE_SECONDS
from deployments.orchestration.abandoned import end_abandoned

DRAIN_S = 15.0
STOP_S = DRAIN_S + GRACE_SECONDS + 5
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.1


def serve_worker(pool: str, kind: str) -> int:
    """The exit code: 0 after SIGTERM, otherwise the worker's own."""
    log.configure_ours("worker")  # the rest is Prefect's
    if kind == "process":
        end_abandoned(pool, None)
    return supervise([sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", kind])


def supervise(command: Sequence[str], drain_s: float = DRAIN_S) -> int:
    """Let `command` run until it ends; after a SIGTERM, `drain_s` longer at most."""
    _adopt_orphans()
    worker = subprocess.Popen(command, start_new_session=True)  # a signal to the group is for it first
    told = _Told(worker, drain_s)
    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    while worker.poll() is None and not told.too_late:
        time.sleep(_POLL_S)
    worker.kill()  # its runs are tied to it: each is told to end
    worker.wait()
    _await_orphans()
    return 0 if told.at is not None else worker.returncode


class _Told:
    """Hands the first signal on and remembers when it came."""

    def __init__(self, worker: subprocess.Popen[bytes], drain_s: float) -> None:
        self._worker, self._drain_s = worker, drain_s
        self.at: float | None = None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.at is None:
            self.at = time.monotonic()
            self._worker.send_signal(signal.SIGTERM)

    @property
    def too_late(self) -> bool:
        return self.at is not None and time.monotonic() - self.at > self._drain_s


def _adopt_orphans() -> None:
    """A run whose worker is gone becomes ours, so that somebody waits for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _await_orphans() -> None:
    deadline = time.monotonic() + GRACE_SECONDS + 2
    with suppress(ChildProcessError):  # there is none, or none any more
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(_POLL_S)
