"""`prefect.yaml`: what ops rely on is written in it, and nothing that would undo what they changed."""

import importlib
from typing import Any

import pytest
import yaml

from deployments.local import bootstrap
from deployments.orchestration.deploying import PREFECT_FILE

DOCUMENT: dict[str, Any] = yaml.safe_load(PREFECT_FILE.read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {found["name"]: found for found in DOCUMENT["deployments"]}


def test_the_drill_is_weekly() -> None:
    (weekly,) = DEPLOYMENTS["restore-drill"]["schedules"]
    assert (weekly["cron"], weekly["timezone"]) == ("0 3 * * 0", "UTC")


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_schedule_that_ops_paused_stays_paused(name: str) -> None:
    for schedule in DEPLOYMENTS[name]["schedules"]:
        assert "active" not in schedule
        assert schedule["slug"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_entry_points_are_flows_of_the_package(name: str) -> None:
    module, _, function = DEPLOYMENTS[name]["entrypoint"].rpartition(".")
    assert module.startswith("flows.")
    flow = getattr(importlib.import_module(module), function)
    known = set(flow.parameters.properties)
    given = set(DEPLOYMENTS[name].get("parameters", {}))
    for schedule in DEPLOYMENTS[name]["schedules"]:
        given |= set(schedule.get("parameters", {}))
    assert given <= known


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_deployment_runs_twice_at_a_time(name: str) -> None:
    limit = DEPLOYMENTS[name]["concurrency_limit"]
    assert limit["limit"] == 1
    if any("interval" in one or one["cron"].startswith("*") for one in DEPLOYMENTS[name]["schedules"]):
        assert limit["collision_strategy"] == "CANCEL_NEW"  # after an outage, missed runs must not pile up
    if name == "restore-drill":
        assert limit["collision_strategy"] == "ENQUEUE"


def test_the_pool_is_a_variable_and_everything_is_described() -> None:
    for deployment in DEPLOYMENTS.values():
        assert deployment["work_pool"]["name"] == "{{ $FIRSTUSER_WORK_POOL }}"
        assert deployment["description"]
        assert deployment["tags"]


def test_flow_runs_are_tied_to_their_worker() -> None:
    assert bootstrap.pool().command[-2:] == ("-m", "deployments.local.flow_run")
