"""Waiting until every running process has taken a change on; each says itself what it runs with."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic, sleep

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.errors import Unavailable
from api.core.rotation import readers
from api.core.rotation.consumers import Consumers
from api.core.rotation.readers import Reader

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Processes:
    transaction: Callable[[], AbstractContextManager[Session]]
    clock: Clock
    consumers: Consumers

    def until(self, name: str, mark: str, what: str, holds: Callable[[Reader], bool]) -> Sequence[Reader]:
        """Every living one, once all hold; those that are behind are deployed anew first. `mark` as in
        `Consumers.redeploy`, `what` they are to do, in words. Raises `Unavailable`, with who does not."""
        late = self._late(name, holds)
        if late != []:
            self.consumers.redeploy(name, mark)
        deadline = monotonic() + self.consumers.wait_s
        while late != []:
            if monotonic() > deadline:
                raise Unavailable(
                    f"Not every process is seen to {what}: {said(late) if late else 'none says a word'}.",
                    provider="processes",
                    operation=f"rotate {name}",
                    fix=self.consumers.advice,
                )
            sleep(_POLL_S)
            late = self._late(name, holds)
        return self.living(name)

    def living(self, name: str) -> Sequence[Reader]:
        with self.transaction() as session:
            return readers.living(session, name, self.clock())

    def running(self, seen: Sequence[Reader]) -> str:
        """Who they are, and what was deployed, for the record."""
        deploys = self.consumers.running_version()
        return f"{said(seen)}; {deploys}" if deploys else said(seen)

    def _late(self, name: str, holds: Callable[[Reader], bool]) -> Sequence[Reader] | None:
        """None while nobody is there."""
        living = self.living(name)
        return [one for one in living if not holds(one)] if living else None


def said(seen: Sequence[Reader]) -> str:
    return ", ".join(f"{one.service} ({one.process})" for one in seen)
