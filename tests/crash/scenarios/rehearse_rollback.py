"""A rehearsal killed anywhere: staging has its own release again, by the next rehearsal or the sweep."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from api.core.clock import system_clock
from api.core.preflight import rehearsals
from api.core.preflight.rehearsing import SERVICE, Rehearsing
from api.providers.hosting import releases
from api.providers.hosting.local import LocalHosting
from flows import rehearsal_wiring, rehearse_rollback
from tests.crash.points import POINTS, watch_calls
from tests.crash.scenario import broken_chains, run, state, tasks_of, transaction, wire
from tests.flows.preflight_world import facing

HOME = "1.2"


@contextmanager
def standing() -> Generator[tuple[Rehearsing, LocalHosting]]:
    """Staging as a service that goes on with what it was last started with, whoever was killed."""
    serving = state() / "serving.json"
    with facing() as face:

        def show() -> None:
            if serving.exists():
                face.says("/api/readyz?verbose", 200, json.loads(serving.read_text()))

        def restart(_part: str) -> None:
            with POINTS.around("restart"):
                found = releases.environment(state(), SERVICE)
                names = {"release": "FIRSTUSER_RELEASE", "deploy_id": "FIRSTUSER_DEPLOY_ID"}
                document = {name: found[of] for name, of in names.items()} | {"checks": {}}
                serving.write_text(json.dumps(document))
                show()

        show()
        hosting = LocalHosting(state(), {SERVICE: face.url}, restart)
        verify = _Visitor(serving)
        yield Rehearsing(transaction, hosting, hosting, verify, system_clock, wait_s=5), hosting


class _Visitor:
    def __init__(self, serving: Path) -> None:
        self._serving = serving

    def __call__(self, release: str) -> str:
        serves = json.loads(self._serving.read_text())["release"]
        assert serves == release
        return f"{release} works"


class RehearseRollback:
    def tasks(self) -> int:
        return tasks_of(rehearse_rollback)

    def before(self) -> None:
        if (state() / "releases").exists():
            return
        with standing() as (_, hosting):
            for release in ("1.1", HOME):
                hosting.deploy(SERVICE, release, {})

    def watch(self) -> None:
        watch_calls(releases, "back", "release written")

    def run(self) -> None:
        with standing() as (rehearsing, _):
            wire()
            rehearsal_wiring.rehearsing = lambda: rehearsing  # type: ignore[assignment]
            ended = run(rehearse_rollback.rehearse_rollback)
            assert ended.is_completed(), ended.message

    def next_run(self) -> None:
        with standing() as (rehearsing, _):
            rehearsing.undo()

    def wrong(self) -> list[str]:
        serves = json.loads((state() / "serving.json").read_text())["release"]
        found = [] if serves == HOME else [f"staging serves {serves}"]
        with transaction() as session:
            left = rehearsals.unfinished(session)
        found += [f"{len(left)} rehearsals are open"] if left else []
        return found + broken_chains(rehearsals.STREAM)


SCENARIO = RehearseRollback()
