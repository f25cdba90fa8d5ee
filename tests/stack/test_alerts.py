"""On the whole stack: the database and Prefect go down, a page arrives all the same, and its end follows."""

import json
import time
from collections.abc import Callable

import httpx
import psutil
import pytest

from api.providers.hosting.supervisor import Supervisor
from tests.stack.conftest import StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

PAGED_WITHIN_S = 30
RESOLVED_WITHIN_S = 60


def subjects(stack: StackUnderTest) -> list[str]:
    """What the local channel got, oldest first."""
    files = sorted(stack.state.outbox("production").glob("*.json"))
    stored = [json.loads(path.read_text()) for path in files]
    return [one["subject"] for one in stored if one["channel"] == "alert"]


def after(true: Callable[[], bool], seconds: float) -> float:
    """How long it took to come true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not come true"
        time.sleep(0.2)
    return time.monotonic() - began


def test_the_page_arrives_while_database_and_prefect_are_down(other_stack: StackUnderTest) -> None:
    stack, supervisor = other_stack, Supervisor(other_stack.state.supervisor_socket)
    page, end = "🔴 [CRITICAL] Database unavailable", "🟢 [RESOLVED] Database unavailable"
    before = len(subjects(stack))
    supervisor.stop("prefect-worker")
    supervisor.stop("prefect-server")
    supervisor.stop("postgres")
    took = after(lambda: page in subjects(stack)[before:], PAGED_WITHIN_S)
    print(f"paged {took:.1f} s after the database had stopped")
    assert httpx.get(f"{stack.ports.url('api')}/api/readyz", trust_env=False).status_code == 503
    (watcher,) = [one for one in supervisor.parts() if one.name == "watcher"]
    assert watcher.pid is not None
    psutil.Process(watcher.pid).kill()
    after(
        lambda: any(o.name == "watcher" and o.running and o.pid != watcher.pid for o in supervisor.parts()),
        20,
    )
    time.sleep(12)  # it looks again, and more than once
    assert subjects(stack)[before:].count(page) == 1
    supervisor.start("postgres")
    took = after(lambda: end in subjects(stack)[before:], RESOLVED_WITHIN_S)
    print(f"resolved {took:.1f} s after the database was started")
    supervisor.start("prefect-server")
    supervisor.start("prefect-worker")
    assert [one for one in subjects(stack)[before:] if "Database" in one] == [page, end]


def test_a_test_alert_of_the_command_line_arrives(other_stack: StackUnderTest) -> None:
    made = other_stack.json("alerts", "test", "--by", "Ada")
    after(lambda: other_stack.json("alerts", "list", made["id"])["receipt"] == "L1", 30)
    found = other_stack.json("alerts", "channels")
    assert found["watcher_looked_at"] and {"alert-sender", "beacon"} <= {
        one["name"] for one in found["loops"]
    }
