"""The machinery of the service benches on little data: every measurement is there, whatever it says."""

import shutil
from pathlib import Path

import psutil
import pytest

from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.service.measure import SMOKE, measure_on
from tests.clusters import cluster, cluster_settings, cluster_state

__all__ = ["cluster", "cluster_settings", "cluster_state"]
"""Of its own: a bench takes more connections than everybody's has left late in a run."""


@pytest.mark.skipif(shutil.which("wrk") is None, reason="no wrk on PATH (Debian: apt-get install wrk)")
def test_a_smoke_run_measures_everything(cluster: Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    found = measure_on(cluster, tmp_path, tmp_path, SMOKE, said.append)
    against = {(each.name, each.reference_name) for each in found}
    assert {("heartbeat", "pgbench, a row each"), ("exchange", "Fastify + pg")} <= against
    assert {"healthz", "me", "users/live", "heartbeat p99"} <= {each.name for each in found}
    assert sum("1,000 people" in each.name for each in found) == 3
    assert all(each.ours > 0 and each.reference > 0 for each in found)
    left = [each.info["cwd"] for each in psutil.process_iter(["cwd"])]
    assert not [folder for folder in left if folder and folder.startswith(str(tmp_path))]
