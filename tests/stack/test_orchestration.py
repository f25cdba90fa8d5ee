"""Prefect as the stack sets it up: complete, the same after every start, respectful of what ops changed."""

import time
from typing import Any

import httpx
import pytest

from deployments.orchestration.automations import STUCK_AUTOMATION, ZOMBIE_AUTOMATION
from tests.stack.conftest import SCHEDULES, StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(600)]

STARTS_WITHIN_S = 20  # 2.5 to 4.5 s seen on two idle cores


@pytest.fixture
def prefect(other_stack: StackUnderTest) -> httpx.Client:
    user, _, password = other_stack.state.prefect_login.read_text().strip().partition(":")
    base = f"{other_stack.ports.url('prefect')}/api"
    return httpx.Client(base_url=base, auth=(user, password), timeout=30, trust_env=False)


def deployments(prefect: httpx.Client) -> dict[str, dict[str, Any]]:
    found = prefect.post("/deployments/filter", json={}).raise_for_status().json()
    return {deployment["name"]: deployment for deployment in found}


def test_nobody_gets_in_without_the_login(other_stack: StackUnderTest) -> None:
    url = f"{other_stack.ports.url('prefect')}/api/deployments/filter"
    assert httpx.post(url, json={}, trust_env=False).status_code == 401


def test_deployments_are_scheduled_and_limited(prefect: httpx.Client) -> None:
    found = deployments(prefect)
    assert set(found) == {
        "restore-drill",
        "full",
        "incremental",
        "retain",
        "sweep",
        "prune",
        "alerts",
        "evidence",
        "webhook-retries",
        "incident-watch",
        "preflight",
        "rehearse-rollback",
        "scheduled",
        "incident",
        "finish",
    }
    for name, deployment in found.items():
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["work_pool_name"] == "local"
        scheduled = [True] if name in SCHEDULES.split(",") else []
        assert [schedule["active"] for schedule in deployment["schedules"]] == scheduled


def test_a_second_start_duplicates_nothing_and_keeps_a_pause(
    other_stack: StackUnderTest, prefect: httpx.Client
) -> None:
    retain = deployments(prefect)["retain"]
    schedule = f"/deployments/{retain['id']}/schedules/{retain['schedules'][0]['id']}"
    prefect.patch(schedule, json={"active": False}).raise_for_status()
    before = automations(prefect)
    make_older(prefect, before[STUCK_AUTOMATION])
    other_stack.firstuser("up")
    after = deployments(prefect)["retain"]
    assert [found["active"] for found in after["schedules"]] == [False]
    now = automations(prefect)
    assert now.keys() == before.keys()
    assert now[ZOMBIE_AUTOMATION] == before[ZOMBIE_AUTOMATION]  # not even touched
    assert now[STUCK_AUTOMATION]["actions"] == before[STUCK_AUTOMATION]["actions"]
    prefect.patch(schedule, json={"active": True}).raise_for_status()


def automations(prefect: httpx.Client) -> dict[str, Any]:
    found = prefect.post("/automations/filter", json={}).raise_for_status().json()
    assert len({automation["name"] for automation in found}) == len(found)
    return {automation["name"]: automation for automation in found}


def make_older(prefect: httpx.Client, automation: dict[str, Any]) -> None:
    """It does something else, as one of an older release may."""
    ours = {name: automation[name] for name in ("name", "description", "trigger")}
    older = ours | {"actions": [{"type": "do-nothing"}]}
    prefect.put(f"/automations/{automation['id']}", json=older).raise_for_status()


def test_a_run_starts_soon_and_ends_well(prefect: httpx.Client) -> None:
    sweep = deployments(prefect)["sweep"]
    asked = time.monotonic()
    run = prefect.post(f"/deployments/{sweep['id']}/create_flow_run", json={}).raise_for_status().json()
    started = None
    while time.monotonic() - asked < 90:
        state = prefect.get(f"/flow_runs/{run['id']}").raise_for_status().json()["state"]["type"]
        if started is None and state not in {"SCHEDULED", "PENDING"}:
            started = time.monotonic() - asked
        if state in {"COMPLETED", "CANCELLED", "FAILED", "CRASHED"}:
            break
        time.sleep(0.1)
    assert state in {"COMPLETED", "CANCELLED"}  # cancelled: the minutely one was at work
    assert started is not None
    assert started < STARTS_WITHIN_S
