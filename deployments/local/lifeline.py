"""The tie between a process and its parent: when the parent dies, however it dies, so does the child.

The kernel sends the signal (Linux: PR_SET_PDEATHSIG). The tie survives exec, but not a change of user.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 10


def tie(death_signal: signal.Signals, parent: int | None = None) -> None:
    """Die by `death_signal` when the parent dies. `parent` is its process id, when known from before."""
    expected = parent or os.getppid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != expected:  # it died before we asked
        os.kill(os.getpid(), death_signal)


def end_at_the_latest(grace_seconds: float = GRACE_SECONDS) -> None:
    """Guarantee the end of a process that handles the signal and then hangs on what is gone too."""
    threading.Thread(target=_watch, args=(os.getppid(), grace_seconds), name="lifeline", daemon=True).start()


def _watch(parent: int, grace_seconds: float) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    time.sleep(grace_seconds)
    os._exit(os.EX_UNAVAILABLE)
