"""The parts of a deployment as plain processes, with the commands and the environments of `compose.yaml`:
no embedded stack, a PostgreSQL with the roles of `databases.sh`, a Prefect server of their own."""

import base64
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg import sql

from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.launching import launch
from api.settings import load
from deployments.bench.places import free_port
from deployments.orchestration.automations import (
    LATE_AUTOMATION,
    NOT_BEGUN_AUTOMATION,
    STUCK_AUTOMATION,
    ZOMBIE_AUTOMATION,
)
from tests.deployments import compose

pytestmark = [pytest.mark.xdist_group("prefect-server"), pytest.mark.timeout(600)]

GENEROUS_S = 180
BINARIES = Path(sys.executable).parent
DATABASES = (compose.FILE.parent / "databases.sh").read_text()
PASSWORDS = {name: secrets.token_urlsafe(24) for name in ("owner", "app", "prefect", "staging")}
HOST = "127.0.0.1"
PORTS = {
    "api": "PORT",
    "prefect": "PORT",
    "dispatcher": "FIRSTUSER_DISPATCHER_METRICS_PORT",
    "watcher": "FIRSTUSER_WATCHER_METRICS_PORT",
}
ENDS = ["COMPLETED", "FAILED", "CRASHED"]
METRICS = "a token for whoever scrapes 7f3a"


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    """The port of a server that was set up as the postgres image does it."""
    folder = Path(tempfile.mkdtemp(prefix="firstuser-compose-"))
    folder.chmod(0o755)
    settings = load()
    stack = settings.stack.model_copy(update={"state_dir": folder, "postgres_port": free_port()})
    store = settings.store.model_copy(update={"url": ""})
    cluster = Cluster.from_settings(replace(settings, stack=stack, store=store))
    try:
        cluster.initialise(durable=False)
        cluster.configure()
        launch(cluster.command(), cluster.account, cluster.home.log)
        cluster.wait_ready()
        set_up(cluster)
        yield cluster.port
    finally:
        cluster.stop()
        subprocess.run(["rm", "-rf", str((folder / "pg").resolve()), str(folder)], check=False)


def set_up(cluster: Cluster) -> None:
    """What `databases.sh` says, in the database that POSTGRES_DB names."""
    statements = DATABASES.partition("<<'SQL'\n")[2].partition("\nSQL\n")[0]
    assert statements.count(":'") == len(PASSWORDS)
    with psycopg.connect(cluster.dsn("admin", "postgres"), autocommit=True) as connection:
        connection.execute("create database firstuser")
    with psycopg.connect(cluster.dsn("admin", "firstuser"), autocommit=True) as connection:
        for statement in statements.split(";\n"):
            for name, password in PASSWORDS.items():
                statement = statement.replace(f":'{name}'", sql.quote(password))
            connection.execute(statement)  # pyright: ignore


@dataclass
class Host:
    """One machine with the values of `.env`; `run` and `start` are what Docker would do."""

    folder: Path
    postgres_port: int
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    values: dict[str, str] = field(default_factory=lambda: given())

    def environment(self, service: str) -> dict[str, str]:
        stated = compose.environment(service, self.values)
        here = {
            "@/": f"@127.0.0.1:{self.postgres_port}/",
            "?host=/var/run/postgresql": "",
            "http://prefect:4200": f"http://127.0.0.1:{self.ports['prefect']}",
            "http://api:8000": f"http://127.0.0.1:{self.ports['api']}",
            "/var/lib/firstuser": str(self.folder),
        }
        for inside, outside in here.items():
            stated = {name: value.replace(inside, outside) for name, value in stated.items()}
        if service in PORTS:
            stated[PORTS[service]] = str(self.ports[service])
        image = {"FIRSTUSER_STATE_DIR": str(self.folder), "PREFECT_HOME": str(self.folder / "prefect")}
        machine = {
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "FIRSTUSER_HOST": HOST,
            "FIRSTUSER_METRICS_HOST": HOST,
            "FIRSTUSER_POSTGRES_BIN_DIR": str(self.folder / "none"),  # the image goes without
        }
        return image | stated | machine

    def run(self, *command: str, service: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(service) | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=GENEROUS_S,
            check=False,
        )

    @contextmanager
    def start(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                compose.SERVICES[service]["command"],
                env=self.environment(service),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(errors="replace")[-3000:]

    def prefect(self, path: str, **body: Any) -> Any:
        user, _, password = self.values["FIRSTUSER_PREFECT_AUTH"].partition(":")
        base = f"http://127.0.0.1:{self.ports['prefect']}/api"
        answer = httpx.post(f"{base}{path}", json=body, auth=(user, password), trust_env=False, timeout=30)
        return answer.raise_for_status().json()


def given() -> dict[str, str]:
    """A person's `.env`."""
    strong = {
        name: secrets.token_urlsafe(48)
        for name in compose.required()
        if name.endswith("SECRET") or name.startswith("POSTGRES_")
    }
    return strong | {
        **{f"POSTGRES_{name.upper()}_PASSWORD": password for name, password in PASSWORDS.items()},
        "PUBLIC_APP_URL": "https://app.firstuser.example",
        "TEXTBELT_API_KEY": "abcdef0123456789",
        "SENDGRID_API_KEY": "SG.abcdef0123456789",
        "EMAIL_FROM": "FirstUser <hello@firstuser.example>",
        "FOUNDER_PHONES": "+4915112345678",
        "HOMEPAGE_OWNER_PHONE": "+4915112345678",
        "VITE_HOMEPAGE_SPACE_SLUG": "firstuser",
        "OPS_ALERT_WEBHOOK_URL": "https://alerts.firstuser.example/hook",
        "FIRSTUSER_DATA_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "FIRSTUSER_PREFECT_AUTH": f"admin:{secrets.token_urlsafe(24)}",
        "FIRSTUSER_PREFECT_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "FIRSTUSER_METRICS_TOKEN": METRICS,
    }


@pytest.fixture(scope="module")
def host(postgres: int) -> Iterator[Host]:
    """Migrated; with every part of it running."""
    with tempfile.TemporaryDirectory(prefix="firstuser-host-") as folder:
        made = Host(Path(folder), postgres)
        for said in ("empty → ", ""):  # a second time, nothing is left to do
            done = made.run(*compose.SERVICES["migrate"]["command"], service="migrate")
            assert (done.returncode, said in done.stdout) == (0, True), done.stderr
        with ExitStack() as parts:
            for service in ("prefect", "api", "dispatcher", "watcher", "beacon", "worker"):
                RUNNING[service] = parts.enter_context(made.start(service))
            yield made


RUNNING: dict[str, subprocess.Popen[bytes]] = {}


def until(true: Callable[[], bool], host: Host, service: str) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while True:
        with suppress(httpx.HTTPError, OSError):
            if true():
                return
        assert RUNNING[service].poll() is None, host.log(service)
        assert time.monotonic() < deadline, host.log(service)
        time.sleep(0.3)


def metrics(host: Host, service: str = "api") -> str:
    url = f"http://{HOST}:{host.ports[service]}{'/api' if service == 'api' else ''}/metrics"
    bearer = {"Authorization": f"Bearer {METRICS}"}
    return httpx.get(url, headers=bearer, trust_env=False).raise_for_status().text


def test_the_api_is_ready(host: Host) -> None:
    url = f"http://127.0.0.1:{host.ports['api']}/api/readyz?verbose"
    until(lambda: httpx.get(url, trust_env=False).status_code == 200, host, "api")
    assert httpx.get(url, trust_env=False).json()["environment"] == "production"


def test_the_dispatcher_beats(host: Host) -> None:
    beat = 'firstuser_loop_silent_seconds{loop="webhook-dispatcher"}'
    until(lambda: beat in metrics(host), host, "dispatcher")


def test_the_beacon_writes_what_drills_measure_by(host: Host) -> None:
    beat = 'firstuser_loop_silent_seconds{loop="beacon"}'
    until(lambda: beat in metrics(host), host, "beacon")
    assert "not written" not in host.log("beacon")


def test_the_watcher_probes_and_finds_it_well(host: Host) -> None:
    probes = Path(host.environment("watcher")["FIRSTUSER_PROBES_FILE"])
    until(lambda: '"pass"' in probes.read_text(), host, "watcher")
    assert host.environment("worker")["FIRSTUSER_PROBES_FILE"] == str(probes)


def test_dashboard_and_alerts_use_metrics_that_there_are(host: Host) -> None:
    there: set[str] = set()
    for service in ("api", "dispatcher", "watcher"):
        until(lambda service=service: bool(metrics(host, service)), host, service)
        there |= set(re.findall(r"^# TYPE (\w+)", metrics(host, service), re.MULTILINE))
    assert "firstuser_webhook_settled_total" in there
    used = metrics_used()
    assert len(used) > 15
    assert {name for name in used if name not in there and not named_in_code(name)} == set()


def metrics_used() -> set[str]:
    """Without the endings that a histogram's series have."""
    folder = compose.ROOT / "deployments"
    texts = [folder / "grafana" / "firstuser.json", folder / "prometheus" / "alerts.yaml"]
    found = set(re.findall(r"\bfirstuser_\w+", "".join(file.read_text() for file in texts)))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def named_in_code(name: str) -> bool:
    """Of a family that is left out while it has nothing to tell, as of drills before the first one."""
    code = (compose.ROOT / "api" / "http" / "proven.py").read_text()
    return f'"{name}"' in code


def test_the_worker_tells_prefect_of_the_flows_and_takes_their_runs(host: Host) -> None:
    def deployed() -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in host.prefect("/deployments/filter")}

    until(lambda: "alerts" in deployed(), host, "worker")
    run = host.prefect(f"/deployments/{deployed()['alerts']['id']}/create_flow_run")
    asked = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    ended = {"COMPLETED", "CANCELLED"}  # cancelled: the scheduled one was at work
    until(lambda: host.prefect("/flow_runs/filter", **asked)[0]["state"]["type"] in ended, host, "worker")
    assert ran(host, deployed()["sweep"]["id"])["type"] == "COMPLETED"  # nobody drills yet: nothing to undo
    chosen = set(host.environment("worker")["FIRSTUSER_SCHEDULES"].split(","))
    assert {name for name, one in deployed().items() if one["schedules"]} == chosen
    automations = [one["name"] for one in host.prefect("/automations/filter")]
    assert automations.count(ZOMBIE_AUTOMATION) == automations.count(LATE_AUTOMATION) == 1


def ran(host: Host, deployment: str) -> dict[str, Any]:
    """The first end of a run of the deployment."""
    asked = {"flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ENDS}}}}
    until(lambda: bool(host.prefect("/flow_runs/filter", **asked)), host, "worker")
    return host.prefect("/flow_runs/filter", **asked)[-1]["state"]


def test_deploying_again_asks_nothing_keeps_pauses_and_sets_every_schedule_apart(host: Host) -> None:
    (prune,) = [one for one in host.prefect("/deployments/filter") if one["name"] == "prune"]
    pause(host, prune)
    done = host.run("firstuser", "deploy", service="worker", FIRSTUSER_SCHEDULES="")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["name"]: one for one in host.prefect("/deployments/filter")}
    assert {name for name, one in found.items() if not one["schedules"]} == {
        "preflight",
        "rehearse-rollback",
        "incident",
    }
    assert [one["active"] for one in found["prune"]["schedules"]] == [False]
    names = sorted(one["name"] for one in host.prefect("/automations/filter"))
    assert len(names) == len(set(names))
    assert {ZOMBIE_AUTOMATION, NOT_BEGUN_AUTOMATION, STUCK_AUTOMATION, LATE_AUTOMATION} < set(names)

    def seconds() -> dict[str, set[int]]:
        planned = host.prefect("/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
        by_id = {one["id"]: name for name, one in found.items() if "minutely" in one["tags"]}
        at: dict[str, set[int]] = {name: set() for name in by_id.values()}
        for run in planned:
            if run["deployment_id"] in by_id and run["auto_scheduled"]:
                start = datetime.fromisoformat(run["expected_start_time"])
                at[by_id[run["deployment_id"]]].add(start.second)
        return at

    until(lambda: all(seconds().values()), host, "prefect")
    assert seconds() == {"incident-watch": {10}, "alerts": {25}, "webhook-retries": {40}, "sweep": {55}}


def pause(host: Host, deployment: dict[str, Any]) -> None:
    user, _, password = host.values["FIRSTUSER_PREFECT_AUTH"].partition(":")
    path = f"/api/deployments/{deployment['id']}/schedules/{deployment['schedules'][0]['id']}"
    url = f"http://127.0.0.1:{host.ports['prefect']}{path}"
    answer = httpx.patch(url, json={"active": False}, auth=(user, password), trust_env=False)
    answer.raise_for_status()


def test_a_person_in_a_container_commands_the_service_there(host: Host) -> None:
    done = host.run("firstuser", "drill", "list", "--json", service="worker")
    assert (done.returncode, done.stdout) == (0, '{\n  "drills": []\n}\n'), done.stderr
    done = host.run("firstuser", "drill", "list", service="worker", FIRSTUSER_ENV="development")
    assert (done.returncode, "no deployed service" in done.stderr) == (3, True)


def test_what_is_missing_is_said_by_name(host: Host) -> None:
    done = host.run("firstuser", "deploy", service="worker", FIRSTUSER_PREFECT_API_URL="")
    assert (done.returncode, "FIRSTUSER_PREFECT_API_URL" in done.stderr) == (3, True)
    done = host.run("firstuser", "serve", "prefect", service="prefect", FIRSTUSER_PREFECT_AUTH="")
    assert (done.returncode, "FIRSTUSER_PREFECT_AUTH" in done.stderr) == (3, True)
    done = host.run("firstuser", "serve", "api", service="api", DATABASE_URL="postgresql://db/firstuser")
    assert (done.returncode, "TLS" in done.stderr) == (1, True)


@pytest.mark.parametrize("service", ["watcher", "beacon", "dispatcher", "worker", "api"])
def test_a_part_that_is_told_to_end_ends_well(host: Host, service: str) -> None:
    """Last in this file: nothing else of it works any more."""
    process = RUNNING[service]
    assert process.poll() is None, host.log(service)
    process.terminate()
    assert process.wait(GENEROUS_S) == 0, host.log(service)
