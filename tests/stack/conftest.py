"""Whole stacks for the session, driven as a person drives them: by the `firstuser` command.

stack        a running one, of the tests in the group `stack`; nobody stops it
other_stack  one for tests that break things, and the only one that does something by itself; of the group
             `scratch`, which another worker takes. `test_stopping.py` comes last and ends it
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.settings import Settings, load
from deployments.local.environment import setting_names
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports, read_ports

UP_TIMEOUT_S = 240
SCALE = "0.05"
SCHEDULES = "sweep,alerts,retain"
"""What `other_stack` does by itself. Each minutely run takes seconds of a core from the other tests."""


@dataclass(frozen=True)
class StackUnderTest:
    """`firstuser(...)` runs a command against it, `json(...)` returns what it printed as JSON."""

    state: StateFolder
    environment: dict[str, str]

    def firstuser(
        self, *words: str, check: bool = True, timeout: float = UP_TIMEOUT_S, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "deployments.cli", *words],
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"firstuser {' '.join(words)} → {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *words: str, check: bool = True, timeout: float = UP_TIMEOUT_S) -> Any:
        return json.loads(self.firstuser(*words, "--json", check=check, timeout=timeout).stdout)

    def status(self) -> dict[str, dict[str, Any]]:
        """Part name → what `firstuser status --json` says of it."""
        return {part["name"]: part for part in self.json("status", check=False)["parts"]}

    @property
    def ports(self) -> Ports:
        ports = read_ports(self.state)
        assert ports is not None
        return ports

    def settings(self, environment: str = "production") -> Settings:
        """As the stack's own processes read them."""
        with clean_environment():
            return load(self.state.env_file(environment))

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this stack: by its state folder in the environment or the command line."""
        return [found for found in psutil.process_iter() if self._owns(found)]

    def _owns(self, process: psutil.Process) -> bool:
        root = str(self.state.root)
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            home = str((self.state.root / "pg").resolve())
            command = " ".join(process.cmdline())
            return root in command or home in command or process.environ().get("FIRSTUSER_STATE_DIR") == root
        except psutil.Error:
            return False


@contextmanager
def clean_environment() -> Iterator[None]:
    """Without the settings of whoever runs the tests."""
    before = {name: os.environ.pop(name) for name in setting_names() if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


def make_stack(folder: Path) -> StackUnderTest:
    inherited = {name: value for name, value in os.environ.items() if name not in setting_names()}
    ports = ("POSTGRES", "API", "STAGING", "PREFECT")
    ours = {f"FIRSTUSER_{name}_PORT": "0" for name in ports}
    ours |= {"FIRSTUSER_STATE_DIR": str(folder), "FIRSTUSER_SEED_SCALE": SCALE}
    return StackUnderTest(StateFolder(folder), inherited | ours)


@contextmanager
def running_stack(**settings: str) -> Iterator[StackUnderTest]:
    """`settings` are given to the first `up` only: later commands must know them. Nothing is scheduled unless
    they say so."""
    folder = Path(tempfile.mkdtemp(prefix="firstuser-stack-"))
    folder.chmod(0o755)
    stack = make_stack(folder)
    try:
        stack.firstuser("up", timeout=UP_TIMEOUT_S, **{"FIRSTUSER_SCHEDULES": "off"} | settings)
        yield stack
    finally:
        stack.firstuser("down", check=False)
        shutil.rmtree((folder / "pg").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[StackUnderTest]:
    with running_stack() as made:
        yield made


@pytest.fixture(scope="session")
def other_stack() -> Iterator[StackUnderTest]:
    with running_stack(FIRSTUSER_SCHEDULES=SCHEDULES) as made:
        yield made
