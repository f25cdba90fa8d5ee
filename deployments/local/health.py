"""The health watcher: restarts a part that runs but hangs, and one that the supervisor has given up on.

It asks every few seconds and acts only after `PATIENCE_S` of silence without one good answer: a busy machine
answers late, a hung process never. Crashes are the supervisor's own business.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from api.core.errors import FirstUserError
from api.providers.hosting.supervisor import Supervisor
from deployments.local.layout import StateFolder
from deployments.local.parts import ALL
from deployments.local.probes import Probe, probes
from deployments.local.stack import open_stack

INTERVAL_S = 5
PATIENCE_S = {"postgres": 60.0, "prefect-server": 60.0, "prefect-worker": 120.0}
DEFAULT_PATIENCE_S = 20.0

log = structlog.get_logger()


@dataclass
class Watcher:
    """One look per call of `look`. `silent_since` remembers, per part, the first bad answer in a row."""

    supervisor: Supervisor
    hangs: Mapping[str, Probe]
    clock: Callable[[], float] = time.monotonic
    silent_since: dict[str, float] = field(default_factory=dict[str, float])

    def look(self) -> None:
        """Probe what runs, start what was given up on. Raises what the supervisor raises."""
        found = {part.name: part for part in self.supervisor.parts()}
        for name in (name for name, part in found.items() if part.state == "FATAL"):
            log.warning("starting a part that did not stay up", part=name)
            self.supervisor.start(name)
        watched = [name for name in self.hangs if name in found and found[name].state == "RUNNING"]
        for name in set(self.silent_since) - set(watched):
            del self.silent_since[name]
        with ThreadPoolExecutor(max_workers=max(1, len(watched))) as pool:
            answers = {name: pool.submit(self.hangs[name]) for name in watched}
        for name, answer in answers.items():
            self._judge(name, answer.result())

    def _judge(self, name: str, trouble: str | None) -> None:
        if trouble is None:
            self.silent_since.pop(name, None)
            return
        since = self.silent_since.setdefault(name, self.clock())
        silent = self.clock() - since
        if silent >= PATIENCE_S.get(name, DEFAULT_PATIENCE_S) and not self._waits_for_another(name):
            log.warning(
                "restarting a part that hangs", part=name, trouble=trouble, silent_seconds=round(silent)
            )
            del self.silent_since[name]
            self.supervisor.restart(name)

    def _waits_for_another(self, name: str) -> bool:
        """A part below it is silent too: that one is the cause."""
        level = {part.name: part.level for part in ALL}
        return any(level[other] < level[name] for other in self.silent_since)


def watch(state: StateFolder) -> None:
    """For ever, every `INTERVAL_S` seconds."""
    stack = open_stack(state)
    watcher = Watcher(stack.supervisor, probes(stack.settings).hangs)
    while True:
        try:
            watcher.look()
        except FirstUserError as error:
            log.warning("the supervisor did not answer", error=error.message)
        time.sleep(INTERVAL_S)
