"""A stack that is ended leaves nothing behind and continues where it was. The last of `other_stack`."""

import os
import signal

import pytest

from deployments.local.environment import read_env_file
from tests.stack.conftest import StackUnderTest
from tests.stack.looks import founders, until

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(600)]


def test_nothing_outlives_a_killed_supervisor_and_up_continues(other_stack: StackUnderTest) -> None:
    people, ports = founders(other_stack), other_stack.ports
    secret = read_env_file(other_stack.state, "production")["SESSION_SECRET"]
    pid = int((other_stack.state.run / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not other_stack.processes(), 20), other_stack.processes()
    assert other_stack.firstuser("status", check=False).returncode == 1

    other_stack.firstuser("up")
    assert other_stack.json("status")["healthy"]
    assert founders(other_stack) == people
    assert other_stack.ports == ports
    assert read_env_file(other_stack.state, "production")["SESSION_SECRET"] == secret


def test_down_leaves_no_process_and_can_be_repeated(other_stack: StackUnderTest) -> None:
    other_stack.firstuser("down")
    assert other_stack.processes() == []
    other_stack.firstuser("down")
    assert {part["state"] for part in other_stack.status().values()} == {"missing"}
