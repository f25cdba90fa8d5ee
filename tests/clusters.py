"""A real PostgreSQL 18 cluster, one per test process: `tests/conftest.py` has it for all, and whoever backs
up or restores imports these fixtures once more for one of its own, without the databases of everybody else.

cluster   the running `Cluster`: `cluster.dsn(role, database)`, `cluster.settings` by `cluster_settings`
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings, load
from deployments.bench.places import free_port

__all__ = ["cluster", "cluster_settings", "cluster_state"]


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
def cluster(cluster_settings: Settings, passfile: Path) -> Iterator[Cluster]:
    """A running cluster with every role and database, passwords by PGPASSFILE."""
    made = Cluster.from_settings(cluster_settings)
    if passfile.exists():
        made.home.pgpass.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(passfile, made.home.pgpass)
    made.initialise(durable=False)
    if not passfile.exists():
        shutil.copy2(made.home.pgpass, passfile)
    try:
        made.start()
        yield made
    finally:
        made.stop()
