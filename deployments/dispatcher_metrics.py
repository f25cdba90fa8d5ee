"""A dispatcher's own metrics: what this process has done and holds. The sums of all are the API's to tell."""

from collections.abc import Iterator
from time import monotonic

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.core.webhooks.dispatcher import Dispatcher
from api.core.webhooks.schedule import Outcome
from api.core.webhooks.totals import CLAIMED


class DispatcherMetrics(Collector):
    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def collect(self) -> Iterator[Metric]:
        yield from self._done()
        held = self._dispatcher.held()
        yield _now("waiting", "Deliveries claimed and not yet sent.", held.waiting)
        yield _now("in_flight", "Attempts that are on their way.", held.in_flight)
        yield _now("endpoints", "Endpoints that these deliveries are for.", held.endpoints)
        age = monotonic() - self._dispatcher.last_round
        yield _now("round_age_seconds", "Since the last claim that the database answered.", age)

    def _done(self) -> Iterator[Metric]:
        tally = self._dispatcher.tally
        yield CounterMetricFamily(
            "firstuser_dispatcher_claimed", "Deliveries claimed by this process.", value=tally[CLAIMED]
        )
        settled = CounterMetricFamily(
            "firstuser_dispatcher_settled",
            "Deliveries settled by this process, by outcome.",
            labels=["outcome"],
        )
        for outcome in Outcome:
            settled.add_metric([outcome.value], tally[outcome.value])
        yield settled


def _now(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"firstuser_dispatcher_{name}", words, value=value)
