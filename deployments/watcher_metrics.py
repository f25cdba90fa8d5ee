"""The watcher's metrics: what it saw last, and whether its pages got out."""

from collections.abc import Callable, Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from api.core.alerts.probing import Watch
from api.core.incidents.readiness import Outcome

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)  # a probe gives up after three seconds


class WatcherMetrics:
    """Counts what happens; `expose` has the registry tell of what stands, too."""

    def __init__(self) -> None:
        none = CollectorRegistry()  # nobody scrapes it: `expose` names the one that is scraped
        self._probes = Counter(
            "firstuser_watcher_probes", "Looks at readyz, by outcome.", ["outcome"], registry=none
        )
        self._took = Histogram(
            "firstuser_watcher_probe_duration_seconds",
            "How long a look took.",
            buckets=_BOUNDS,
            registry=none,
        )
        self._messages = Counter(
            "firstuser_watcher_messages",
            "Tries to tell a channel, by result.",
            ["channel", "result"],
            registry=none,
        )
        for outcome in Outcome:
            self._probes.labels(outcome.value)

    def probed(self, outcome: Outcome, seconds: float) -> None:
        self._probes.labels(outcome.value).inc()
        self._took.observe(seconds)

    def told(self, channel: str, *, sent: bool) -> None:
        self._messages.labels(channel, "sent" if sent else "failed").inc()

    def expose(self, registry: CollectorRegistry, watch: Callable[[], Watch]) -> None:
        for collector in (self._probes, self._took, self._messages, _Standing(watch)):
            registry.register(collector)


class _Standing(Collector):
    def __init__(self, watch: Callable[[], Watch]) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        watch = self._watch()
        yield _now("outage", "Whether an outage goes on (1) or not (0).", float(watch.episode is not None))
        yield _now("bad_probes", "Bad answers in a row.", watch.bad)
        yield _now("messages_waiting", "Messages in the spool that are not told yet.", len(watch.spool))
        looked, heard = watch.looked_at, watch.dead_man_ok_at
        yield _now("looked_timestamp_seconds", "When it looked last.", looked.timestamp() if looked else None)
        yield _now(
            "dead_man_heard_timestamp_seconds",
            "When the dead-man URL was reached last.",
            heard.timestamp() if heard else None,
        )


def _now(name: str, words: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"firstuser_watcher_{name}", words, value=value)
