"""The watch killed anywhere in a run that opens an incident and acts: one episode, each action once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from api.core.clock import system_clock
from api.core.incidents.acting import CLAIM, Acting, Observed
from api.core.incidents.decisions import ActionKind
from api.core.incidents.opening import STREAM
from api.core.incidents.readiness import Outcome, Probe
from api.providers import probe_spool
from api.settings import load
from flows import incident_watch, watching, wiring
from tests.api.core.incidents.world import World
from tests.crash.points import POINTS
from tests.crash.scenario import broken_chains, engine, run, state, tasks_of, wire


class Done:
    """A response whose effect is a line in a file: what it was, and for which episode."""

    def __init__(self, kind: ActionKind) -> None:
        self._kind = kind

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        with POINTS.around(f"action {self._kind.value}"), (state() / "effects").open("a") as file:
            file.write(f"{episode_id} {self._kind.value} {target}\n")
        return {"for": episode_id}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        return Observed(True, "it shows.")

    def undo(self, target: str, by: str, reason: str) -> str:
        return "undone"


class IncidentWatch:
    def tasks(self) -> int:
        return tasks_of(incident_watch)

    def before(self) -> None:
        """An empty history, and readyz that fails for minutes."""
        World(engine())
        (state() / "effects").write_text("")
        spool = state() / probe_spool.NAME
        spool.unlink(missing_ok=True)
        for place in range(22):
            at = system_clock() - timedelta(seconds=10 * (21 - place))
            probe_spool.append(spool, Probe(at, Outcome.FAIL, "readyz: the database fails: gone"))

    def watch(self) -> None:
        """The responses' own calls are."""

    def run(self) -> None:
        self._wire(timedelta(0))
        run(incident_watch.incident_watch)

    def next_run(self) -> None:
        """Minutes later: the claims of the killed one are over."""
        self._wire(CLAIM)
        run(incident_watch.incident_watch)

    def wrong(self) -> list[str]:
        world = World.__new__(World)
        world.engine = engine()
        episodes = world.episodes()
        if len(episodes) != 1:
            return [f"{len(episodes)} episodes are open for one outage"]
        unseen = [one.kind for one in episodes[0].actions if one.state != "observed"]
        found = [f"not done: {unseen}"] if unseen else []
        effects = Counter((state() / "effects").read_text().splitlines())
        found += [f"done {times} times: {what}" for what, times in effects.items() if times > 2]
        if len(effects) != len(episodes[0].actions):
            found.append(f"{len(episodes[0].actions)} actions have {len(effects)} effects")
        return found + broken_chains(STREAM)

    def _wire(self, ahead: timedelta) -> None:
        settings = load()
        stack = settings.stack.model_copy(update={"state_dir": state()})
        incidents = settings.incidents.model_copy(update={"incident_mode": "auto"})
        found = replace(settings, stack=stack, incidents=incidents)
        wire(settings=lambda: found, hosting=lambda: SimpleNamespace(name="none"))
        made: dict[ActionKind, Any] = {kind: Done(kind) for kind in ActionKind}

        def acting() -> Acting:
            clock = lambda: system_clock() + ahead  # noqa: E731
            return Acting(wiring.transaction, made, clock, watching.pace(), "test")

        watching.acting = acting  # type: ignore[assignment]


SCENARIO = IncidentWatch()
