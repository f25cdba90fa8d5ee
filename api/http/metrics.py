"""Metrics for Prometheus (docs/observability.md): requests are of the process that is scraped; all that the
database knows, of queues, loops, alerts, drills, is the same from every process.

`GET /api/metrics` with `Authorization: Bearer FIRSTUSER_METRICS_TOKEN`; without that setting it is not there.
With the database away the process still tells of itself.
"""

import hmac
from collections.abc import Iterator

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from api import dispatching, request_metrics
from api.core.alerts import views
from api.core.clock import system_clock
from api.core.errors import NotFound
from api.core.webhooks import standing, totals
from api.core.webhooks.totals import Totals
from api.db.engine import DATABASE_ERRORS
from api.http import proven
from api.http.deps import At
from api.http.measured import Measured
from api.http.services import Services

_log = structlog.get_logger("api.metrics")
router = APIRouter(include_in_schema=False)


@router.get("/api/metrics")
def metrics(request: Request, at: At) -> Response:
    token = at.settings.service.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token is None or not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        raise NotFound("There is nothing here.", fix="Set FIRSTUSER_METRICS_TOKEN, and send it.")
    registry = CollectorRegistry(auto_describe=False)
    known = _look(at)
    registry.register(_OwnFamilies(at, known is not None))
    registry.register(ProcessCollector(registry=None))
    if known is not None:
        registry.register(_Families(known))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _look(at: Services) -> Measured | None:
    try:
        return at.measured.get(lambda: measure(at))
    except DATABASE_ERRORS as error:
        _log.warning("metrics without the database", kind=type(error).__name__)
        return None


def measure(at: Services) -> Measured:
    with at.transaction() as session:
        now = standing.database_now(session)
        stands = standing.standing(session, now, dispatching.may_send(at.flags.overrides, session))
        severities = [one.severity for one in views.open_alerts(session, "")]
        return Measured(
            stands,
            stands.oldest_age(now).total_seconds(),
            totals.read(session),
            {loop.name: max(0.0, (now - loop.beat_at).total_seconds()) for loop in views.loops(session)},
            {severity: severities.count(severity) for severity in ("critical", "error", "warning", "info")},
            views.waiting(session, system_clock()),
            proven.look(session),
        )


class _OwnFamilies(Collector):
    def __init__(self, at: Services, database_up: bool) -> None:
        self._service, self._database_up = at.settings.service, database_up

    def collect(self) -> Iterator[Metric]:
        about = GaugeMetricFamily("firstuser_build_info", "What runs here.", labels=["release", "env"])
        about.add_metric([self._service.release, self._service.env], 1)
        yield about
        yield GaugeMetricFamily(
            "firstuser_database_up",
            "Whether the database has answered this scrape (1) or not (0): then its families are missing.",
            value=float(self._database_up),
        )
        yield from request_metrics.counts.collect()


class _Families(Collector):
    """What the database knows."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        yield from proven.families(self._measured.proven)
        yield from _queue(self._measured)
        yield from _sending(self._measured.totals)
        yield from _alerts(self._measured)


def _queue(measured: Measured) -> Iterator[Metric]:
    stands = measured.standing
    waiting = GaugeMetricFamily(
        "firstuser_webhook_deliveries", "Deliveries that are due, by what they wait for.", labels=["state"]
    )
    for state in ("due", "in_flight", "held", "slowed", "disabled", "exhausted"):
        waiting.add_metric([state], getattr(stands, state))
    yield waiting
    yield GaugeMetricFamily(
        "firstuser_webhook_oldest_due_seconds",
        "How long the oldest delivery that waits for nothing but a dispatcher has been due (SLO).",
        value=measured.oldest_due_seconds,
    )


def _sending(found: Totals) -> Iterator[Metric]:
    yield CounterMetricFamily("firstuser_webhook_claimed", "Deliveries claimed.", value=found.claimed)
    outcomes = CounterMetricFamily(
        "firstuser_webhook_settled", "Deliveries settled, by outcome.", labels=["outcome"]
    )
    for outcome, number in found.outcomes.items():
        outcomes.add_metric([outcome], number)
    yield outcomes
    yield HistogramMetricFamily(
        "firstuser_webhook_latency_seconds",
        "From sending to the end of the answer.",
        buckets=list(found.latency),
        sum_value=found.latency_seconds,
    )


def _alerts(measured: Measured) -> Iterator[Metric]:
    silent = GaugeMetricFamily(
        "firstuser_loop_silent_seconds", "Since a loop's last sign of life.", labels=["loop"]
    )
    for loop, seconds in sorted(measured.silent.items()):
        silent.add_metric([loop], seconds)
    yield silent
    opened = GaugeMetricFamily("firstuser_alerts_open", "Open alerts.", labels=["severity"])
    for severity, number in measured.open_alerts.items():
        opened.add_metric([severity], number)
    yield opened
    yield GaugeMetricFamily(
        "firstuser_alert_messages_waiting", "Alert messages that are due.", value=measured.messages_waiting
    )
