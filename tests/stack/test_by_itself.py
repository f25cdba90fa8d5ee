"""Schedules really run: what nobody asks for happens anyway. Before other tests break this stack."""

import time
from typing import Any

import httpx
import pytest

from tests.stack.conftest import StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(300)]

WITHIN_S = 150


def flow_runs(other_stack: StackUnderTest, **state: Any) -> list[dict[str, Any]]:
    user, _, password = other_stack.state.prefect_login.read_text().strip().partition(":")
    answer = httpx.post(
        f"{other_stack.ports.url('prefect')}/api/flow_runs/filter",
        json={"flow_runs": {"state": state}, "limit": 200},
        auth=(user, password),
        trust_env=False,
    )
    answer.raise_for_status()
    return answer.json()


def test_sweep_and_alerts_run_every_minute_by_themselves(other_stack: StackUnderTest) -> None:
    deadline = time.monotonic() + WITHIN_S
    wanted, done = {"sweep", "alerts"}, set[str]()
    while not wanted <= done and time.monotonic() < deadline:
        completed = flow_runs(other_stack, type={"any_": ["COMPLETED"]})
        done = {run["name"].partition("/")[0] for run in completed if run["auto_scheduled"]}
        time.sleep(1)
    assert wanted <= done
