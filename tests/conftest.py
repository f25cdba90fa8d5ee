"""Fixtures that more than one part needs: a real PostgreSQL 18 cluster, one per test process.

cluster   the running `Cluster`: `cluster.dsn(role, database)`, `cluster.settings` by `cluster_settings`
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings, load
from deployments.bench.places import free_port


@pytest.fixture(scope="session")
def cluster_state() -> Iterator[Path]:
    """A state folder that the database server's OS user can reach (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="firstuser-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster_settings(cluster_state: Path) -> Settings:
    """Settings of the test cluster: nothing from the caller's environment but what a test sets."""
    settings = load()
    stack = settings.stack.model_copy(update={"state_dir": cluster_state, "postgres_port": free_port()})
    store = settings.store.model_copy(update={"url": ""})
    return replace(settings, stack=stack, store=store)


@pytest.fixture(scope="session")
def cluster(cluster_settings: Settings) -> Iterator[Cluster]:
    """A running cluster with every role and database, passwords by PGPASSFILE."""
    made = Cluster.from_settings(cluster_settings)
    made.initialise(durable=False)
    before = os.environ.get("PGPASSFILE")
    os.environ["PGPASSFILE"] = str(made.home.pgpass)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        if before is None:
            os.environ.pop("PGPASSFILE", None)
        else:
            os.environ["PGPASSFILE"] = before
