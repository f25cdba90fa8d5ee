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
LEVELS = {part.name: part.level for part in ALL}

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
            self._count(name, answer.result())
        for name in self._overdue():
            log.warning("restarting a part that hangs", part=name, silent_seconds=round(self._silence(name)))
            del self.silent_since[name]  # the new process gets its own patience
            self.supervisor.restart(name)

    def _count(self, name: str, trouble: str | None) -> None:
        if trouble is None:
            self.silent_since.pop(name, None)
        else:
            self.silent_since.setdefault(name, self.clock())

    def _silence(self, name: str) -> float:
        return self.clock() - self.silent_since[name]

    def _overdue(self) -> list[str]:
        """What to restart: of several silent parts only the lowest, because the others rely on it."""
        silent = sorted(self.silent_since, key=LEVELS.__getitem__)
        lowest = [name for name in silent if LEVELS[name] == LEVELS[silent[0]]]
        return [n for n in lowest if self._silence(n) >= PATIENCE_S.get(n, DEFAULT_PATIENCE_S)]


def watch(state: StateFolder) -> None:
    """For ever, every `INTERVAL_S` seconds."""
    stack = open_stack(state)
    watcher = Watcher(stack.supervisor, probes(state, stack.settings).hangs)
    while True:
        try:
            watcher.look()
        except FirstUserError as error:
            log.warning("the supervisor did not answer", error=error.message)
        time.sleep(INTERVAL_S)
