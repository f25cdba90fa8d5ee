"""The stack as a whole: stands beside another, heals, continues where it was, leaves nothing behind."""

import json
import os
import signal
import stat
import time
from collections.abc import Callable

import httpx
import psutil
import psycopg
import pytest

from api.providers.hosting.supervisor import Supervisor
from deployments.local.environment import read_env_file
from tests.stack.conftest import StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

HEALED_WITHIN_S = 60
PAGED_WITHIN_S = 30


def until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    return true()


def founders(stack: StackUnderTest) -> int:
    with psycopg.connect(
        f"host=127.0.0.1 port={stack.ports.postgres} user=firstuser_reader dbname=firstuser",
        passfile=str(stack.state.passwords),
    ) as connection:
        row = connection.execute("SELECT count(*) FROM founders").fetchone()
    assert row is not None
    return int(row[0])


def serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_every_part_serves_after_up(stack: StackUnderTest) -> None:
    parts = stack.status()
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(parts, "healthy")
    assert {"postgres", "prefect-server", "prefect-worker", "api-production", "api-staging"} <= set(parts)
    assert founders(stack) > 0
    assert stack.json("backups")["restore_points"]


def test_staging_is_a_service_of_its_own(stack: StackUnderTest) -> None:
    for name, environment in (("api", "production"), ("staging", "staging")):
        answer = httpx.get(f"{stack.ports.url(name)}/api/readyz?verbose", trust_env=False).json()
        assert answer["environment"] == environment
        assert answer["restored_copy"] is None


def test_everything_listens_on_this_machine_only(stack: StackUnderTest) -> None:
    addresses = {
        connection.laddr.ip
        for process in stack.processes()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_secrets_are_private_and_in_no_process(stack: StackUnderTest) -> None:
    files = [path for path in stack.state.secrets.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    passwords = [line.rsplit(":", 1)[1] for line in stack.state.passwords.read_text().splitlines()]
    environment = read_env_file(stack.state, "production")
    secrets = [*passwords, environment["SESSION_SECRET"], environment["FIRSTUSER_DATA_KEY"]]
    for process in stack.processes():
        seen = " ".join(process.cmdline()) + " ".join(process.environ().values())
        assert not [secret for secret in secrets if secret in seen], process.cmdline()


def test_no_secret_is_in_any_log(stack: StackUnderTest) -> None:
    passwords = [line.rsplit(":", 1)[1] for line in stack.state.passwords.read_text().splitlines()]
    secrets = [*passwords, stack.state.prefect_login.read_text().strip()]
    for log in stack.state.logs.iterdir():
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log


def test_a_second_up_changes_nothing(stack: StackUnderTest) -> None:
    before = {name: part["pid"] for name, part in stack.status().items()}
    stack.firstuser("up")
    assert {name: part["pid"] for name, part in stack.status().items()} == before


def test_two_stacks_stand_side_by_side(stack: StackUnderTest, other_stack: StackUnderTest) -> None:
    assert set(numbers(stack)).isdisjoint(numbers(other_stack))
    assert serves(stack.ports.url("api"))
    assert serves(other_stack.ports.url("api"))


def numbers(stack: StackUnderTest) -> list[int]:
    return [getattr(stack.ports, name) for name in ("postgres", "api", "staging", "prefect")]


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
