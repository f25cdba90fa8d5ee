"""A preflight killed anywhere: the next one comes to its own verdict, and the killed one is given up."""

import os
from typing import Any

from sqlalchemy import text

from api.core.preflight.records import Finding, State
from api.core.preflight.runner import Look
from flows import preflight, preflight_run
from flows.preflight_looks import Looks
from tests.crash.scenario import DATABASE, broken_chains, run, state, tasks_of, transaction, wire
from tests.flows.preflight_world import world


class ButSmoke:
    """The smoke test has a browser and a tenant of its own, and a kill of its own."""

    def __init__(self, target: Any) -> None:
        self._looks = Looks(target)

    def all(self) -> dict[str, Look]:
        return {**self._looks.all(), "smoke": lambda: Finding(State.PASS, "not here")}


class Preflight:
    def tasks(self) -> int:
        return tasks_of(preflight)

    def before(self) -> None:
        """Every run finds all in order."""

    def watch(self) -> None:
        """What it asks others changes nothing; what it writes are commits."""

    def run(self) -> None:
        wire()
        with world(os.environ[DATABASE], state(), setattr):
            preflight_run.Looks = ButSmoke  # type: ignore[misc,assignment]
            run(preflight.preflight, trigger="cli")

    def next_run(self) -> None:
        self.run()

    def wrong(self) -> list[str]:
        with transaction() as session:
            rows = session.execute(
                text("select status, verdict from ops.preflights order by started_at")
            ).all()
        found = [] if rows and rows[-1].verdict else [f"the next one has no verdict: {rows[-1:]}"]
        found += ["one goes on for ever"] if any(row.status == "running" for row in rows) else []
        return found + broken_chains("preflights")


SCENARIO = Preflight()
