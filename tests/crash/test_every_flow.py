"""Every flow killed at every place it passes; what runs next by itself puts everything right.

Two of them take seconds a run, and are killed at every nth place here; `make crash` kills them at every one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.db.engine import Engine
from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.bench.places import free_port
from tests.crash.scenario import DATABASE, EVERY, STATE
from tests.product import new_database
from tests.webhooks.bulk_receiver import bulk_receiving

TIMEOUT_S = 3600
_NO_SERVER = "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"  # whatever still turns to Prefect fails, and starts none
pytestmark = pytest.mark.timeout(TIMEOUT_S)


def killed_everywhere(name: str, database: str, state: Path, **more: str) -> None:
    """Prints how many places there were. Each task has at least two."""
    found = killed(name, database, state, **more)
    assert found["wrong"] == []
    assert len(found["points"]) >= max(2, 2 * found["tasks"])


def killed(name: str, database: str, state: Path, **more: str) -> dict[str, Any]:
    """What the harness says."""
    every = os.environ.get(EVERY) or more.get(EVERY, "1")
    told = subprocess.run(
        [sys.executable, "-m", "tests.crash.harness", name],
        env=os.environ | {DATABASE: database, STATE: str(state), _NO_SERVER: "false"} | more | {EVERY: every},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-4000:]
    found = json.loads(told.stdout.splitlines()[-1])
    print(f"{name}: {len(found['points'])} places, killed at one of {every}, {found['tasks']} tasks")
    return found


def test_a_restore_drill(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
    killed_everywhere("restore_drill", url, tmp_path)


@pytest.mark.parametrize("name", ["prune", "incident_watch", "alerts", "rehearse_rollback", "evidence"])
def test_a_flow(name: str, cluster: Cluster, tmp_path: Path) -> None:
    killed_everywhere(name, new_database(cluster), tmp_path)


def test_a_preflight(cluster: Cluster, tmp_path: Path) -> None:
    killed_everywhere("preflight", new_database(cluster), tmp_path, CRASH_EVERY="11")


def test_a_rotation(cluster: Cluster, tmp_path: Path) -> None:
    killed_everywhere("secret_rotation", new_database(cluster), tmp_path, CRASH_EVERY="3")


def test_the_sweep(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
    killed_everywhere("sweep", url, tmp_path)


def test_the_drain(cluster: Cluster, tmp_path: Path) -> None:
    """Everything arrives, the same message by the same id, whoever was killed."""
    with bulk_receiving() as receiver:
        killed_everywhere(
            "webhook_retries", new_database(cluster), tmp_path, CRASH_RECEIVER=receiver.url("").rstrip("/")
        )
        arrived = {one for _, one in receiver.ids}
    to_arrive = set((tmp_path / "to-arrive").read_text().split())
    assert to_arrive and to_arrive <= arrived


def test_backups(tmp_path_factory: pytest.TempPathFactory, cluster_settings: Settings) -> None:
    """Over a server of its own: what is killed here must not be in anybody else's way."""
    folder = Path(tempfile.mkdtemp(prefix="firstuser-crash-"))
    folder.chmod(0o755)
    port = free_port()
    stack = cluster_settings.stack.model_copy(update={"state_dir": folder, "postgres_port": port})
    server = Cluster.from_settings(replace(cluster_settings, stack=stack))
    server.initialise(durable=False)
    try:
        server.start()
        killed_everywhere(
            "take_backup",
            server.dsn("owner", "postgres"),
            tmp_path_factory.mktemp("crash"),
            CRASH_EVERY="4",
            FIRSTUSER_STATE_DIR=str(folder),
            FIRSTUSER_POSTGRES_PORT=str(port),
            PGPASSFILE=str(server.home.pgpass),
        )
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_harness_that_finds_nothing_is_none(engine: Engine, tmp_path: Path) -> None:
    """Without the sweep a killed drill leaves what the harness looks for."""
    url = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
    found = killed("restore_drill_unswept", url, tmp_path, CRASH_EVERY="9")
    assert any("copies are left" in one for one in found["wrong"])
    assert any("staging points at" in one for one in found["wrong"])
