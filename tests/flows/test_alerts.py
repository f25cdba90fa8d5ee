"""Flows and alerts: a run that fails is told, the next good one ends it; the safety net sends."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import Flow
from sqlalchemy import Engine

from api.core.alerts import service, views
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.clock import system_clock
from api.db.engine import session_scope
from flows import alerts, backups, hooks, housekeeping, incident_watch, restore_drill, webhook_retries, wiring
from flows.alerts import alerts_now
from tests.api.core.alerts.channels import Recorder
from tests.product import engine, product_url

__all__ = ["engine", "product_url"]

FLOW = SimpleNamespace(name="take-backup")
RUN = SimpleNamespace(id="11111111-1111-1111-1111-111111111111", name="full")
FLOWS = (
    alerts.alerts,
    backups.take_backup,
    backups.retain,
    housekeeping.sweep,
    housekeeping.prune,
    incident_watch.incident_watch,
    restore_drill.restore_drill,
    webhook_retries.webhook_retries,
)


@pytest.fixture
def wired(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(wiring, "transaction", lambda: session_scope(engine))
    return engine


def test_a_failed_run_is_told_and_the_next_good_one_ends_it(wired: Engine) -> None:
    crashed = SimpleNamespace(name="Crashed", message="no sign of life")
    hooks.trouble(FLOW, RUN, crashed)
    hooks.trouble(FLOW, RUN, crashed)
    with session_scope(wired) as session:
        (found,) = [one for one in views.open_alerts(session, "") if one.rule == "flow_failed"]
    assert (found.scope, found.seen, found.metadata["state"]) == ("take-backup", 2, "Crashed")
    assert found.runbook.endswith("alert-flow-failed.md") and "no sign of life" in found.message
    hooks.fine(FLOW, RUN, SimpleNamespace(name="Completed", message=""))
    with session_scope(wired) as session:
        assert [one for one in views.open_alerts(session, "") if one.rule == "flow_failed"] == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_flow_tells_of_its_end(flow: Flow[..., Any]) -> None:
    for kind in ("on_failure_hooks", "on_crashed_hooks"):
        assert getattr(flow, kind) == [hooks.trouble]
    assert flow.on_completion_hooks == [hooks.fine]


def test_the_safety_net_sends_what_waits_without_an_api(
    wired: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, words = Recorder(), Words("production", "https://app.example")
    now = system_clock()
    moments = iter(now + timedelta(seconds=60 + 2 * n) for n in range(100))
    desk = Desk(wiring.transaction, {"primary": channel}, words, lambda: next(moments))
    monkeypatch.setattr(wiring, "alert_desk", lambda: desk)
    monkeypatch.setattr(alerts, "_TURN_S", 0)
    with session_scope(wired) as session:
        for scope in ("we_1", "we_2"):
            service.raise_(session, "retries_exhausted", scope, env="production", message="-", now=now)
    assert alerts_now() == 2
    assert alerts_now() == 0
    assert {message.metadata["scope"] for message in channel.got} == {"we_1", "we_2"}
