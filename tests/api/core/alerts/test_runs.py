"""Flow runs that nobody speaks for: when they are trouble, and that each is told once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from api.core.alerts import queries, runs, service
from api.core.alerts.catalogue import FLOW
from api.core.alerts.runs import Phase, Run

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run(phase: Phase, age: timedelta, state: str = "", *, minutely: bool = False) -> Run:
    return Run("1", "sweep", "sweep/1", phase, state or phase.value, NOW - age, minutely=minutely)


@pytest.mark.parametrize(
    ("one", "trouble"),
    [
        (run(Phase.LATE, 2 * MINUTE), False),
        (run(Phase.LATE, 4 * MINUTE), True),
        (run(Phase.WAITING, 9 * MINUTE), False),
        (run(Phase.WAITING, 11 * MINUTE), True),
        (run(Phase.RUNNING, 4 * MINUTE, minutely=True), False),
        (run(Phase.RUNNING, 6 * MINUTE, minutely=True), True),
        (run(Phase.RUNNING, 3 * 60 * MINUTE), False),
        (run(Phase.RUNNING, 5 * 60 * MINUTE), True),
    ],
)
def test_what_is_slow_is_trouble_only_after_its_time(one: Run, trouble: bool) -> None:
    found = runs.judge([one], (), NOW)
    assert bool(found.late or found.stuck) is trouble
    assert not found.unspoken


def test_a_dead_run_is_its_hooks_to_tell_at_first_and_never_told_twice() -> None:
    dead = run(Phase.DEAD, timedelta(minutes=5), "Crashed")
    assert runs.judge([dead], (), NOW).unspoken == [dead]
    assert runs.judge([dead], {"1"}, NOW).unspoken == []
    fresh = replace(dead, since=NOW - timedelta(seconds=5))
    assert runs.judge([fresh], (), NOW).unspoken == []


def test_trouble_is_an_alert_once_and_ends_by_itself(session: Session) -> None:
    env, killed = "production", replace(run(Phase.DEAD, MINUTE, "Crashed"), id=str(uuid4()))
    hooked = replace(killed, id=str(uuid4()), flow="prune")
    service.raise_(
        session, FLOW.name, "prune", env=env, message="x", now=NOW, metadata={"flow_run_id": hooked.id}
    )
    seen = [killed, hooked, run(Phase.LATE, 5 * MINUTE)]
    for _ in range(2):
        trouble = runs.judge(seen, runs.told(session, seen), NOW)
        runs.tell(session, env, trouble, NOW)
    found = {(one.rule, one.scope): one for one in queries.open_alerts(session, env)}
    assert set(found) == {("flow_failed", "sweep"), ("flow_failed", "prune"), ("runs_late", "")}
    assert found["flow_failed", "sweep"].seen == found["flow_failed", "prune"].seen == 1
    assert found["flow_failed", "sweep"].detail["flow_run_id"] == killed.id
    assert "(sweep) for 5 min" in found["runs_late", ""].message
    runs.tell(session, env, runs.judge([], (), NOW), NOW)
    assert {one.rule for one in queries.open_alerts(session, env)} == {"flow_failed"}
