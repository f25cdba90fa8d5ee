"""How each part proves that it serves. A probe returns None when all is well, else what is wrong, in words.

`ready`  it does its work now: gates the start, shown by `status`
`hangs`  it runs but does not answer: the only reason for the health watcher to restart it. An API whose
         database is away is not ready, but does not hang.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx
import psycopg

from api.providers.hosting.loopback import ask
from api.settings import Settings
from deployments.local import records
from deployments.local.environment import DATABASES
from deployments.local.layout import StateFolder
from deployments.local.parts import PREFECT_WORKER
from deployments.local.ports import HOST
from deployments.local.prefect import WORK_POOL

Probe = Callable[[], str | None]
TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Probes:
    """By part name. A part without a probe is judged by its process alone."""

    ready: Mapping[str, Probe]
    hangs: Mapping[str, Probe]


def probes(state: StateFolder, settings: Settings) -> Probes:
    stack = settings.stack
    prefect = settings.service.prefect_api_url
    auth = _auth(settings)

    def postgres() -> str | None:
        return _connects(stack.postgres_port)

    def server() -> str | None:
        return _answers(f"{prefect}/health", auth)

    def worker() -> str | None:
        record = records.read(state, PREFECT_WORKER.name)
        if record is None:
            return "it has not started yet"
        return _polls(f"{prefect}/work_pools/{WORK_POOL}/workers/filter", auth, record.created)

    def api(port: int, path: str) -> Probe:
        return lambda: _answers(f"http://{HOST}:{port}{path}")

    common: dict[str, Probe] = {"postgres": postgres, "prefect-server": server, "prefect-worker": worker}
    ports = {"api-production": stack.api_port, "api-staging": stack.staging_port}
    return Probes(
        ready=common | {name: api(port, "/api/readyz") for name, port in ports.items()},
        hangs=common | {name: api(port, "/api/healthz") for name, port in ports.items()},
    )


def _auth(settings: Settings) -> httpx.BasicAuth | None:
    if settings.service.prefect_auth is None:
        return None
    user, _, password = settings.service.prefect_auth.get_secret_value().partition(":")
    return httpx.BasicAuth(user, password)


def _connects(port: int) -> str | None:
    try:
        with psycopg.connect(
            host=HOST,
            port=port,
            user="firstuser_reader",
            dbname=DATABASES["production"],
            connect_timeout=TIMEOUT_S,
            application_name="firstuser-health",
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return None


def _answers(url: str, auth: httpx.Auth | None = None) -> str | None:
    try:
        answer = ask(url, auth=auth, timeout_s=TIMEOUT_S)
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    return None if answer.is_success else f"HTTP {answer.status_code}"


def _polls(url: str, auth: httpx.Auth | None, since: float) -> str | None:
    """The server has heard from this process (not from one before it), and not too long ago."""
    try:
        answer = ask(url, json={}, auth=auth, timeout_s=TIMEOUT_S)
    except httpx.HTTPError as error:
        return f"the Prefect server does not answer ({type(error).__name__})"
    if not answer.is_success:
        return f"the Prefect server answers HTTP {answer.status_code}"
    online = [found for found in answer.json() if found["status"] == "ONLINE"]
    heard = any(datetime.fromisoformat(found["last_heartbeat_time"]).timestamp() >= since for found in online)
    return None if heard else "not seen by the Prefect server"
