"""The health watcher restarts what hangs, late rather than early, and never the victim for the culprit."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from api.providers.hosting.supervisor import PartProcess, Supervisor
from deployments.local.health import DEFAULT_PATIENCE_S, PATIENCE_S, Watcher
from deployments.local.probes import Probe


class FakeSupervisor:
    def __init__(self, **states: str) -> None:
        self.states = {name.replace("_", "-"): state for name, state in states.items()}
        self.calls: list[tuple[str, str]] = []

    def parts(self) -> Sequence[PartProcess]:
        return [PartProcess(name, state, 1, None, 0, "") for name, state in self.states.items()]

    def restart(self, name: str) -> None:
        self.calls.append(("restart", name))

    def start(self, name: str) -> None:
        self.calls.append(("start", name))


class Hour:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def silent() -> str | None:
    return "no answer"


def fine() -> str | None:
    return None


def watching(supervisor: FakeSupervisor, hour: Hour, hangs: Mapping[str, Probe]) -> Watcher:
    return Watcher(cast("Supervisor", cast("Any", supervisor)), hangs, hour)


def test_a_part_that_stays_silent_is_restarted_once() -> None:
    supervisor, hour = FakeSupervisor(api_staging="RUNNING"), Hour()
    watcher = watching(supervisor, hour, {"api-staging": silent})
    watcher.look()
    hour.now = DEFAULT_PATIENCE_S - 1
    watcher.look()
    assert supervisor.calls == []
    hour.now = DEFAULT_PATIENCE_S
    watcher.look()
    hour.now += 1
    watcher.look()
    assert supervisor.calls == [("restart", "api-staging")]


def test_one_good_answer_starts_the_count_anew() -> None:
    answers = iter(["no answer", None, "no answer", "no answer"])
    supervisor, hour = FakeSupervisor(api_staging="RUNNING"), Hour()
    watcher = watching(supervisor, hour, {"api-staging": lambda: next(answers)})
    for moment in (0.0, 15.0, 16.0, 30.0):
        hour.now = moment
        watcher.look()
    assert supervisor.calls == []


@pytest.mark.parametrize("state", ["STOPPED", "STARTING", "BACKOFF", "EXITED"])
def test_a_part_that_does_not_run_is_left_to_the_supervisor(state: str) -> None:
    supervisor, hour = FakeSupervisor(api_staging=state), Hour()
    watcher = watching(supervisor, hour, {"api-staging": silent})
    for moment in (0.0, 100.0, 200.0):
        hour.now = moment
        watcher.look()
    assert supervisor.calls == []


def test_a_part_that_was_given_up_on_is_started_again() -> None:
    supervisor = FakeSupervisor(beacon="FATAL", postgres="RUNNING")
    watching(supervisor, Hour(), {"postgres": fine}).look()
    assert supervisor.calls == [("start", "beacon")]


def test_when_the_database_is_silent_only_the_database_is_restarted() -> None:
    supervisor, hour = FakeSupervisor(postgres="RUNNING", prefect_server="RUNNING"), Hour()
    watcher = watching(supervisor, hour, {"postgres": silent, "prefect-server": silent})
    watcher.look()
    hour.now = PATIENCE_S["postgres"]
    watcher.look()
    assert supervisor.calls == [("restart", "postgres")]
