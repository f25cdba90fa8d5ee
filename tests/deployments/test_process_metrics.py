"""What dispatcher and watcher tell Prometheus of themselves."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.registry import CollectorRegistry

from api.core.alerts.probing import Episode, Watch
from api.core.incidents.readiness import Outcome
from api.core.webhooks.dispatcher import Dispatcher
from deployments.dispatcher_metrics import DispatcherMetrics
from deployments.watcher_metrics import WatcherMetrics


def test_a_dispatchers_work_is_counted_by_outcome() -> None:
    async def made() -> Dispatcher:
        nothing: Any = nullcontext
        return Dispatcher(nothing)

    dispatcher = asyncio.run(made())
    dispatcher.tally.update({"claimed": 7, "delivered": 4, "lost claims": 1})
    registry = CollectorRegistry()
    registry.register(DispatcherMetrics(dispatcher))
    value = registry.get_sample_value
    assert value("firstuser_dispatcher_claimed_total") == 7
    assert value("firstuser_dispatcher_settled_total", {"outcome": "delivered"}) == 4
    assert value("firstuser_dispatcher_settled_total", {"outcome": "exhausted"}) == 0
    assert value("firstuser_dispatcher_settled_total", {"outcome": "lost claims"}) is None
    for name in ("waiting", "in_flight", "endpoints"):
        assert value(f"firstuser_dispatcher_{name}") == 0
    age = value("firstuser_dispatcher_round_age_seconds")
    assert age is not None and age >= 0


def test_the_watcher_tells_what_it_saw_and_whether_it_was_heard() -> None:
    metrics, registry = WatcherMetrics(), CollectorRegistry()
    now = datetime(2026, 11, 1, tzinfo=UTC)
    watch = [Watch()]
    metrics.expose(registry, lambda: watch[0])
    value = registry.get_sample_value
    assert value("firstuser_watcher_outage") == 0
    assert value("firstuser_watcher_looked_timestamp_seconds") is None
    metrics.probed(Outcome.FAIL, 0.2)
    metrics.told("primary", sent=False)
    metrics.told("primary", sent=True)
    watch[0] = Watch(looked_at=now, bad=3, episode=Episode("api-down", now), dead_man_ok_at=now)
    assert value("firstuser_watcher_outage") == 1 and value("firstuser_watcher_bad_probes") == 3
    assert value("firstuser_watcher_looked_timestamp_seconds") == now.timestamp()
    assert value("firstuser_watcher_probes_total", {"outcome": Outcome.FAIL.value}) == 1
    assert value("firstuser_watcher_probes_total", {"outcome": Outcome.PASS.value}) == 0
    assert value("firstuser_watcher_messages_total", {"channel": "primary", "result": "sent"}) == 1
    assert value("firstuser_watcher_probe_duration_seconds_count") == 1


def test_every_metric_is_described() -> None:
    described = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()
    registry = CollectorRegistry()
    WatcherMetrics().expose(registry, Watch)
    nothing: Any = nullcontext

    async def made() -> Dispatcher:
        return Dispatcher(nothing)

    registry.register(DispatcherMetrics(asyncio.run(made())))
    names = {family.name for family in registry.collect()}
    assert len(names) > 12 and not [name for name in names if f"`{name}" not in described]
