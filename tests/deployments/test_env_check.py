"""`firstuser env check` and a real start: the same list of everything that is wrong, and no value in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.local.environment import setting_names, write_env_files
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports

BAD = {
    "FIRSTUSER_ENV": "production",
    "SESSION_SECRET": "planted-1",
    "PUBLIC_APP_URL": "http://planted-2.example/path",
    "FOUNDER_PHONES": "planted-3",
    "FIRSTUSER_DRAIN_SECONDS": "planted-4",
    "FIRSTUSER_OUTBOUND": "planted-5",
    "DATABASE_URL": "postgresql://planted-6:planted-7@planted-8.example/planted-9",
}


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    names = setting_names() | {"FIRSTUSER_ENV_FILE"}
    bare = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, *command],
        env=bare | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def env_check(*args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "deployments.cli", "env", "check", *args, **settings)


def test_everything_that_is_wrong_and_no_value() -> None:
    done = env_check("--json", **BAD)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert {problem["name"] for problem in document["problems"]} >= set(BAD) - {"FIRSTUSER_ENV"}
    assert "planted" not in done.stdout + done.stderr
    table = env_check(**BAD)
    assert table.returncode == 1 and "planted" not in table.stdout
    assert all(name in table.stdout for name in BAD if name != "FIRSTUSER_ENV")


def test_a_start_says_the_same_and_fails() -> None:
    checked = json.loads(env_check("--json", **BAD).stdout)["problems"]
    start = "from deployments.serve import serve; serve('127.0.0.1', 0)"
    done = run("-c", start, **BAD)
    assert done.returncode == 1
    assert all(f"{one['name']} {one['what']}" in done.stderr for one in checked)
    assert "planted" not in done.stdout + done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_what_up_writes_is_good(tmp_path: Path, environment: str) -> None:
    state = StateFolder(tmp_path / "var")
    state.create()
    write_env_files(state, Ports(postgres=1001, api=1002, staging=1003, prefect=1004), {})
    done = env_check("--file", str(state.env_file(environment)))
    assert done.returncode == 0, done.stdout
    assert f"good for {environment}" in done.stdout


def test_the_example_filled_in_with_nothing_misses_what_every_start_needs() -> None:
    example = Path(__file__).parents[2] / ".env.example"
    done = env_check("--file", str(example), "--json")
    names = {problem["name"] for problem in json.loads(done.stdout)["problems"]}
    assert names == {
        "DATABASE_URL",
        "SESSION_SECRET",
        "INTEGRATION_WIDGET_SIGNING_SECRET",
        "FIRSTUSER_DATA_KEY",
    }


def test_a_file_that_is_not_there() -> None:
    done = env_check("--file", "/nowhere.env")
    assert done.returncode == 3 and "There is no file" in done.stderr
    named = env_check("--json", FIRSTUSER_ENV_FILE="/nowhere.env")
    assert json.loads(named.stdout)["problems"][0]["name"] == "FIRSTUSER_ENV_FILE"
