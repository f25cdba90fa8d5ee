"""The end of a worker's process: its runs have time to end, are told to, and are waited for."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN = """
import signal, sys, time
from pathlib import Path
from deployments.local import lifeline
folder = Path(sys.argv[1])
def told(*_):
    time.sleep(0.3)
    (folder / "cleaned up").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, told)
lifeline.tie(signal.SIGTERM)
(folder / "runs").touch()
time.sleep(120)
"""
WORKER = """
import signal, subprocess, sys, time
if sys.argv[2] == "ends":
    sys.exit(7)
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it waits for its runs, as Prefect's does
subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1]]).wait()
"""
SUPERVISOR = """
import sys
from deployments.orchestration.worker import supervise
sys.exit(supervise([sys.executable, "-c", *sys.argv[1:]], drain_s=0.5))
"""


@contextmanager
def supervised(folder: Path, manner: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", SUPERVISOR, WORKER, str(folder), manner, RUN]
    process = subprocess.Popen(words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_run_that_is_not_done_in_time_is_told_to_end_and_waited_for(tmp_path: Path) -> None:
    with supervised(tmp_path, "waits") as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "runs").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert (tmp_path / "cleaned up").exists()


def test_a_worker_that_ends_by_itself_is_no_good_end(tmp_path: Path) -> None:
    with supervised(tmp_path, "ends") as process:
        assert process.wait(60) == 7
