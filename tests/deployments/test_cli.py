"""The command line refuses in one message that says what to do, with an exit code and without a traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PORTS = ("FIRSTUSER_POSTGRES_PORT", "FIRSTUSER_API_PORT", "FIRSTUSER_STAGING_PORT", "FIRSTUSER_PREFECT_PORT")


def firstuser(state: Path, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = dict.fromkeys(PORTS, "0") | {"FIRSTUSER_STATE_DIR": str(state)} | settings
    return subprocess.run(
        [sys.executable, "-m", "deployments.cli", *args],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["down"], ["run", "beacon"]])
def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path, command: list[str]) -> None:
    done = firstuser(tmp_path / "nothing", *command)
    assert done.returncode == 3
    assert "firstuser up" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "nothing").exists()


def test_an_unknown_part_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    done = firstuser(tmp_path, "logs", "postgress")
    assert done.returncode == 3
    assert "api-production" in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = firstuser(tmp_path, "up", FIRSTUSER_API_PORT="many")
    assert done.returncode == 2
    assert "API_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_stops_up_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = firstuser(tmp_path, "up", FIRSTUSER_PREFECT_PORT=str(port))
    assert done.returncode == 3
    assert f"Port {port} is taken" in done.stderr
    assert "FIRSTUSER_PREFECT_PORT" in done.stderr
    assert not (tmp_path / "pg").exists()
    assert not (tmp_path / "stack.json").exists()


def test_a_wrong_usage_exits_with_two(tmp_path: Path) -> None:
    assert firstuser(tmp_path, "up", "--no-such-option").returncode == 2


def test_status_of_a_stopped_stack_is_json_and_not_good(tmp_path: Path) -> None:
    ports = {"ports": {"postgres": 1, "api": 2, "staging": 3, "prefect": 4}}
    (tmp_path / "stack.json").write_text(json.dumps(ports))
    done = firstuser(tmp_path, "status", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["running"] is False
    assert {part["state"] for part in document["parts"]} == {"missing"}
