"""What is killed, hangs or loses its database comes back, and somebody hears of it."""

import json
import os
import signal

import httpx
import pytest

from api.providers.hosting.supervisor import Supervisor
from tests.stack.conftest import StackUnderTest
from tests.stack.looks import HEALED_WITHIN_S, serves, until

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(600)]

PAGED_WITHIN_S = 30


@pytest.mark.parametrize("part", ["postgres", "api-production", "prefect-worker"])
def test_a_killed_part_is_shown_and_comes_back(other_stack: StackUnderTest, part: str) -> None:
    before = other_stack.status()[part]
    os.kill(before["pid"], signal.SIGKILL)
    assert until(lambda: other_stack.status()[part]["pid"] not in {before["pid"], None}, HEALED_WITHIN_S)
    assert other_stack.status()[part]["restarts"] == before["restarts"] + 1
    assert until(lambda: other_stack.status()[part]["state"] == "healthy", HEALED_WITHIN_S)


def test_a_run_that_the_last_worker_took_and_never_began_ends_with_the_next(
    other_stack: StackUnderTest,
) -> None:
    """Without this its deployment would stand still until an automation ends it, five minutes later."""
    supervisor, prefect = Supervisor(other_stack.state.root), prefect_of(other_stack)
    supervisor.stop("prefect-worker")
    (retain,) = prefect.post(
        "/deployments/filter", json={"deployments": {"name": {"any_": ["retain"]}}}
    ).json()
    run = prefect.post(f"/deployments/{retain['id']}/create_flow_run", json={}).raise_for_status().json()
    taken = {"state": {"type": "PENDING"}, "force": True}
    prefect.post(f"/flow_runs/{run['id']}/set_state", json=taken).raise_for_status()
    supervisor.start("prefect-worker")

    def state() -> str:
        return prefect.get(f"/flow_runs/{run['id']}").raise_for_status().json()["state"]["type"]

    assert until(lambda: state() == "CRASHED", HEALED_WITHIN_S), state()


def prefect_of(stack: StackUnderTest) -> httpx.Client:
    user, _, password = stack.state.prefect_login.read_text().strip().partition(":")
    base = f"{stack.ports.url('prefect')}/api"
    return httpx.Client(base_url=base, auth=(user, password), timeout=30, trust_env=False)


def test_a_hanging_part_is_shown_and_restarted(other_stack: StackUnderTest) -> None:
    before = other_stack.status()["api-staging"]
    os.kill(before["pid"], signal.SIGSTOP)
    found = other_stack.firstuser("status", check=False)
    assert found.returncode == 1
    assert "unhealthy" in found.stdout
    assert until(lambda: other_stack.status()["api-staging"]["pid"] != before["pid"], 90)
    assert until(lambda: serves(other_stack.ports.url("staging")), HEALED_WITHIN_S)


def alerts(stack: StackUnderTest) -> list[str]:
    """What the local channel got, oldest first."""
    files = sorted(stack.state.outbox("production").glob("*.json"))
    stored = [json.loads(path.read_text()) for path in files]
    return [one["subject"] for one in stored if one["channel"] == "alert"]


def test_a_page_arrives_while_database_and_prefect_are_down(other_stack: StackUnderTest) -> None:
    supervisor, before = Supervisor(other_stack.state.root), len(alerts(other_stack))
    page, end = "🔴 [CRITICAL] Database unavailable", "🟢 [RESOLVED] Database unavailable"
    for part in ("prefect-worker", "prefect-server", "postgres"):
        supervisor.stop(part)
    assert until(lambda: page in alerts(other_stack)[before:], PAGED_WITHIN_S)
    assert not serves(other_stack.ports.url("api"))
    for part in ("postgres", "prefect-server", "prefect-worker"):
        supervisor.start(part)
    assert until(lambda: end in alerts(other_stack)[before:], HEALED_WITHIN_S)
    assert [one for one in alerts(other_stack)[before:] if "Database" in one] == [page, end]

    made = other_stack.json("alerts", "test", "--by", "Ada")
    assert until(lambda: other_stack.json("alerts", "list", made["id"])["receipt"] == "L1", 30)
    known = other_stack.json("alerts", "channels")
    assert {"alert-sender", "beacon"} <= {loop["name"] for loop in known["loops"]}
    assert until(lambda: other_stack.json("status", check=False)["healthy"], HEALED_WITHIN_S)
