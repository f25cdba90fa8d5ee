"""A scratch stack on free ports, driven by the commands that a person types: for the demo and benches."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deployments.local.layout import StateFolder

TRAFFIC_RATE = 40
PORTS = (
    "FIRSTUSER_POSTGRES_PORT",
    "FIRSTUSER_API_PORT",
    "FIRSTUSER_STAGING_PORT",
    "FIRSTUSER_PREFECT_PORT",
)


class Stage:
    """The scratch stack, driven by the same commands that a person types."""

    def __init__(self, folder: Path, scale: float, **settings: str) -> None:
        """`settings`: variables for the stack."""
        self.state = StateFolder(folder)
        free_ports = dict.fromkeys(PORTS, "0")
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIRSTUSER_")},
            **free_ports,
            "FIRSTUSER_STATE_DIR": str(folder),
            "FIRSTUSER_SEED_SCALE": str(scale),
            **settings,
        }

    @property
    def admin_url(self) -> str:
        """Production's database as its administrator; the password is found by file."""
        port = json.loads(self.state.stack_file.read_text())["ports"]["postgres"]
        return f"postgresql://firstuser_admin@127.0.0.1:{port}/firstuser?passfile={self.state.passwords}"

    def clear(self) -> None:
        """Stop and remove what an earlier, interrupted demo left."""
        if self.state.root.exists():
            if self.state.stack_file.exists():
                self.firstuser("down", quiet=True)
            shutil.rmtree((self.state.root / "pg").resolve(), ignore_errors=True)  # it may live elsewhere
            shutil.rmtree(self.state.root)

    def firstuser(self, *words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deployments.cli", *words],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )

    def must(self, *words: str) -> str:
        done = self.firstuser(*words)
        if done.returncode != 0:
            raise SystemExit(f"`firstuser {' '.join(words)}` failed ({done.returncode}); see above")
        return done.stdout

    def traffic(self, base_url: str, seconds: float) -> subprocess.CompletedProcess[str]:
        settings = ["--rate", str(TRAFFIC_RATE), "--seconds", str(seconds)]
        return subprocess.run(
            [sys.executable, "-m", "deployments.local.traffic", "--base-url", base_url, *settings],
            env={
                **self._env,
                "FIRSTUSER_ENV_FILE": str(self.state.env_file("production")),
                "PGPASSFILE": str(self.state.passwords),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
