"""The cluster and its history as the providers' tests have them, and a world that drills run in."""

import pytest

from api.db.engine import Engine
from tests.api.core.drills.conftest import engine
from tests.api.providers.conftest import s3_settings
from tests.api.providers.databases.conftest import damaged, database, history, name
from tests.clusters import cluster, cluster_settings, cluster_state
from tests.crash.world import World
from tests.faults.drills import beat

__all__ = [
    "cluster",
    "cluster_settings",
    "cluster_state",
    "damaged",
    "database",
    "engine",
    "history",
    "name",
    "s3_settings",
]


@pytest.fixture
def world(engine: Engine) -> World:
    beat(engine, 6, 3)
    return World(engine)
