"""The lifeline: no child outlives its parent, not even of a killed one, not even one that ignores signals."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from deployments.local.ending import end, runs

CHILD = """
import signal, sys, time
from deployments.local import lifeline
{before}
lifeline.tie(signal.{signal})
{after}
print("tied", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def orphan(child: str) -> psutil.Process:
    """Start parent and child, kill the parent, return the child."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    process = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    return process


def ends_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while runs(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(process)


def test_the_child_dies_with_a_killed_parent() -> None:
    assert ends_within(orphan(CHILD.format(before="", signal="SIGKILL", after="")), 3)


def test_without_the_tie_it_would_live_on() -> None:
    process = orphan("import time; print('x', flush=True); time.sleep(60)")
    try:
        assert not ends_within(process, 0.5)
    finally:
        process.kill()


@pytest.mark.parametrize("grace", [0.2])
def test_one_that_ignores_the_signal_is_ended_after_its_grace(grace: float) -> None:
    ignoring = CHILD.format(
        before="signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        signal="SIGTERM",
        after=f"lifeline.end_at_the_latest({grace})",
    )
    assert ends_within(orphan(ignoring), 5)


def test_end_kills_what_does_not_go_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.local.ending.ASKED_S", 0.3)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    end([psutil.Process(child.pid)], patience_s=0)
    assert child.wait(1) == -signal.SIGKILL
