"""The drill databases of `tests/api/core/drills`: a migrated database with a handful of rows."""

from tests.api.core.drills.conftest import engine
from tests.clusters import cluster, cluster_settings, cluster_state

__all__ = ["cluster", "cluster_settings", "cluster_state", "engine"]
