"""The stack as a whole: all of it serves, here only, and shows no secret."""

import stat

import httpx
import psutil
import pytest

from deployments.local.environment import read_env_file
from tests.stack.conftest import StackUnderTest
from tests.stack.looks import founders

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]


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
