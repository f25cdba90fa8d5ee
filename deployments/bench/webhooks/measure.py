"""All webhook benches on a scratch cluster; every round runs all contenders once, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.bench.measures import Measurement
from deployments.bench.service.ground import quiet
from deployments.bench.webhooks import queue, rates
from deployments.bench.webhooks.queue import Depth
from deployments.bench.webhooks.rates import Counts, Field

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    counts: Counts = field(default_factory=Counts)
    depth: Depth = field(default_factory=Depth)


SMOKE = Size(
    Counts(ours=1_000, bare=1_000, pgqueuer=200, procrastinate=50, prefect=4, rounds=1),
    Depth(few=4_000, many=20_000, past=10_000, endpoints=50, churned=1_000, claims=2, rounds=1),
)


def measure(settings: Settings, scratch: Path, kept: Path, size: Size, say: Say) -> list[Measurement]:
    """Everything but what PyPI installs (into `kept`) lives below `scratch`."""
    cluster = Cluster.from_settings(settings)
    cluster.initialise()
    cluster.start()
    try:
        quiet(cluster)
        return measure_on(cluster, scratch, kept, size, say)
    finally:
        cluster.stop()


def measure_on(cluster: Cluster, scratch: Path, kept: Path, size: Size, say: Say) -> list[Measurement]:
    """The same on a cluster that runs; its databases stay."""
    where = Field(cluster, scratch, kept, size.counts, say)
    return [*rates.measure(where), *rates.isolation(where), *queue.measure(cluster, size.depth, say)]


__all__ = ["SMOKE", "Size", "measure", "measure_on"]
