"""A watch over a real database: minutes are written by hand, looked at at any moment, actions recorded."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.errors import FirstUserError
from api.core.incidents import reading, telemetry, watching
from api.core.incidents.acting import Acting, Observed
from api.core.incidents.decisions import ActionKind, Mode, RecentDeploy
from api.core.incidents.exhaustion import Exhausted
from api.core.incidents.pace import MINUTE, Pace
from api.core.incidents.readiness import Outcome, Probe
from api.core.incidents.reading import EpisodeView
from api.core.incidents.seeing import Situation
from api.core.incidents.tally import EVERYBODY, Count
from api.db.engine import session_scope
from tests.product import NOW

_TABLES = (
    "exchange_minutes, exchange_quarantine, readiness_probes, api_instances, incident_standings,"
    " incident_overrides, incident_episodes, incident_actions, incident_timeline, alerts, alert_messages"
)


@dataclass
class Recorded:
    """A response that remembers what it did; its effect shows when `works`."""

    did: list[str]
    works: bool = True
    errors: list[FirstUserError] = field(default_factory=list[FirstUserError])

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        if self.errors:
            raise self.errors.pop(0)
        self.did.append(target)
        return {"for": episode_id}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        return Observed(self.works, "it shows." if self.works else "Nothing shows.")

    def undo(self, target: str, by: str, reason: str) -> str:
        return f"undone {target}".strip()


class World:
    """`now` is the beginning of the minute after the newest one that was written."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW
        self.deploy: RecentDeploy | None = None
        self.exhausted: list[Exhausted] = []
        self.configured: Mode | None = Mode.AUTO
        self.responses = {kind: Recorded([]) for kind in ActionKind}
        with self.transaction() as session:
            session.execute(text(f"truncate {_TABLES} cascade"))

    def transaction(self) -> AbstractContextManager[Session]:
        return session_scope(self.engine)

    @property
    def acting(self) -> Acting:
        return Acting(self.transaction, self.responses, lambda: self.closing, Pace(), "test")

    @property
    def closing(self) -> datetime:
        """The moment at which the newest written minute has just been closed."""
        return self.now + timedelta(seconds=30)

    def minute(self, *counts: tuple[str, int, int]) -> None:
        """One more minute that was watched: (integration, failed, attempted) each."""
        rows = [Count(self.now, EVERYBODY, 0, 0), *(Count(self.now, *one) for one in counts)]
        with self.transaction() as session:
            telemetry.record(session, "one", rows, self.now + MINUTE)
        self.now += MINUTE

    def minutes(self, number: int, *counts: tuple[str, int, int], looking: bool = True) -> list[str]:
        """The episodes that looks after each of them opened."""
        opened: list[str] = []
        for _ in range(number):
            self.minute(*counts)
            opened += self.look() if looking else []
        return opened

    def silent(self, number: int) -> None:
        self.now += number * MINUTE

    def situation(self, at: datetime | None = None) -> Situation:
        now = at or self.closing
        return Situation("test", now, now, self.configured, self.deploy, self.exhausted)

    def look(self, at: datetime | None = None) -> list[str]:
        with self.transaction() as session:
            return watching.look(session, self.situation(at))

    def act(self) -> None:
        self.acting.act()
        self.acting.observe()

    def probes(self, written: str) -> None:
        """F and P, ten seconds apart, the last one at `closing`."""
        outcomes = {"F": Outcome.FAIL, "P": Outcome.PASS}
        last = self.closing
        seen: Sequence[Probe] = [
            Probe(last - timedelta(seconds=10 * place), outcomes[one], "readyz: the database fails: away")
            for place, one in enumerate(reversed(written))
        ]
        with self.transaction() as session:
            telemetry.add_probes(session, seen)

    def episodes(self) -> list[EpisodeView]:
        with self.transaction() as session:
            return reading.episodes(session)

    def episode(self) -> EpisodeView:
        (found,) = self.episodes()
        return found

    def alerts(self) -> list[tuple[str, str]]:
        """(rule, message) of those that are open."""
        query = "select rule, message from alerts where resolved_at is null order by opened_at, rule"
        with self.transaction() as session:
            return [(row.rule, row.message) for row in session.execute(text(query))]
