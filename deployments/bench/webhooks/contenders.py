"""Each contender is a process of its own, which prints its `Result` as one line of JSON."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

from api.providers.databases.embedded import passwords, roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.places import free_port
from deployments.bench.webhooks.bare import Load, Result
from deployments.bench.webhooks.ground import DATA_KEY, create

ROOT = Path(__file__).parents[3]
PEERS = Path(__file__).parent / "peers"
_PATIENCE_S = 120
_START_S = 60


def bare(load: Load) -> Result:
    return run(["-m", "deployments.bench.webhooks.bare", json.dumps(asdict(load))])


def pipeline(url: str, count: int) -> Result:
    return run(["-m", "deployments.bench.webhooks.pipeline", str(count)], product(url))


@dataclass(frozen=True, slots=True)
class Peers:
    """The queues of others, installed into `installed`; each run has a database of its own."""

    cluster: Cluster
    installed: Path

    def run(self, name: str, load: Load) -> Result:
        database = f"peer_{secrets.token_hex(4)}"
        create(self.cluster, database)
        script = str(PEERS / f"{name}_worker.py")
        found = {"PYTHONPATH": f"{self.installed}{os.pathsep}{ROOT}"}
        return run([script, self._url(database), json.dumps(asdict(load))], found)

    @contextmanager
    def prefect(self, folder: Path) -> Generator["Prefect"]:
        """A Prefect server on PostgreSQL until the block ends."""
        database, port = f"peer_{secrets.token_hex(4)}", free_port()
        create(self.cluster, database)
        environment = {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": self._url(database).replace("://", "+asyncpg://"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--port", str(port)]
        with (folder / "prefect.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, env={**inherited(), **environment}, stdout=log, stderr=log
            )
            try:
                _wait_until_it_serves(process, f"{environment['PREFECT_API_URL']}/health")
                yield Prefect(environment)
            finally:
                process.terminate()
                process.wait(_START_S)

    def _url(self, database: str) -> str:
        password = passwords.read_passwords(self.cluster.home.pgpass)[roles.OWNER]
        return f"postgresql://{roles.OWNER}:{password}@127.0.0.1:{self.cluster.port}/{database}"


@dataclass(frozen=True, slots=True)
class Prefect:
    environment: Mapping[str, str]

    def run(self, load: Load) -> Result:
        module = "deployments.bench.webhooks.peers.prefect_tasks"
        return run(["-m", module, json.dumps(asdict(load))], self.environment)


def install(folder: Path) -> Path:
    """The peers from PyPI, in an ignored folder. Raises `CalledProcessError`."""
    wanted, done = PEERS / "requirements.txt", folder / "installed.txt"
    if not done.exists() or done.read_text() != wanted.read_text():
        uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet"]
        subprocess.run(
            [*uv, "--python", sys.executable, "--target", str(folder), "-r", str(wanted)], check=True
        )
        done.write_text(wanted.read_text())
    return folder


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Result:
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited(), **(environment or {})},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE_S,
    )
    return Result(**json.loads(ran.stdout.splitlines()[-1]))


def product(url: str) -> dict[str, str]:
    """The environment of a product over a database."""
    return {
        "DATABASE_URL": url,
        "SESSION_SECRET": secrets.token_urlsafe(48),
        "INTEGRATION_WIDGET_SIGNING_SECRET": secrets.token_urlsafe(48),
        "FIRSTUSER_DATA_KEY": DATA_KEY,
        "PUBLIC_APP_URL": "http://127.0.0.1:8000",
        "FIRSTUSER_ENV": "development",
    }


def inherited() -> dict[str, str]:
    """Without what `FIRSTUSER_…` or `PREFECT_…` the caller has set."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("FIRSTUSER_", "PREFECT_"))
    }


def _wait_until_it_serves(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = monotonic() + _START_S
    while monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        sleep(0.1)
    raise ChildProcessError(f"{process.args} does not serve")
