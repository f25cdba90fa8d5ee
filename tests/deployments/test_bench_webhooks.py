"""The machinery of the webhook benches on little data: every measurement is there, whatever it says."""

from pathlib import Path

import psutil

from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.webhooks import queue, rates, soak
from deployments.bench.webhooks.measure import SMOKE
from deployments.bench.webhooks.rates import Field
from deployments.bench.webhooks.receiver import receiving
from tests.clusters import cluster, cluster_settings, cluster_state

__all__ = ["cluster", "cluster_settings", "cluster_state"]
"""Of its own: a bench takes more connections than everybody's has left late in a run."""


def test_a_smoke_run_measures_everything_against_everyone(cluster: Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    found = rates.measure(Field(cluster, tmp_path, tmp_path, SMOKE.counts, said.append))
    against = {each.reference_name for each in found if each.name == "deliveries"}
    assert against == {"bare client", "pgqueuer", "procrastinate", "a Prefect task each"}
    assert sum(each.name.startswith("WAL per delivery") for each in found) == 2
    assert all(each.ours > 0 and each.reference > 0 for each in found)
    left = [each.info["cwd"] for each in psutil.process_iter(["cwd"])]
    assert not [folder for folder in left if folder and folder.startswith(str(tmp_path))]


def test_claims_are_timed_on_little_and_on_much(cluster: Cluster) -> None:
    found = queue.measure(cluster, SMOKE.depth, [].append)
    assert len(found) == 3
    assert all(each.ours > 0 and each.reference > 0 for each in found)


def test_a_short_soak_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with receiving() as receiver:
        lost, twice, memory = soak.measure_on(cluster, tmp_path, receiver, 4, [].append)
    assert lost.ours == 0
    assert twice.reference > 0
    assert memory.ours > 0
