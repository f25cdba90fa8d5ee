"""Doing what episodes ask for, and seeing that it had its effect: claim, act, settle; then observe.

An action counts as done when its effect was *observed*. Whoever dies in the middle lets its claim run out,
and the next one acts again: every response may be repeated. No transaction is open meanwhile.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy.orm import Session

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import INCIDENT_FOLLOWUP
from api.core.clock import Clock
from api.core.errors import FirstUserError
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.incidents import episode_queries as queries
from api.core.incidents.decisions import ActionKind
from api.core.incidents.models import Action
from api.core.incidents.opening import ACTOR, STREAM
from api.core.incidents.pace import Pace

CLAIM = timedelta(seconds=60)
SEEN_WITHIN = timedelta(minutes=5)
"""An effect that is not seen so long after the action calls a person; it is looked for further on."""

ATTEMPTS = 5
_log = structlog.get_logger("incidents")


@dataclass(frozen=True, slots=True)
class Observed:
    """`said`: what was seen, or what is still missing."""

    true: bool
    said: str


class Response(Protocol):
    """One kind of action. Repeatable. `wall` is when it was acted. May raise `FirstUserError`."""

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        """Do it; returns what `observe` needs to know."""
        ...

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed: ...

    def undo(self, target: str, by: str, reason: str) -> str:
        """Take it back, where that is a person's to decide; returns what was done."""
        ...


@dataclass(frozen=True, slots=True)
class Acting:
    """`transaction` commits at the end of its block; `clock` is the wall's, `pace` the watch's."""

    transaction: Callable[[], AbstractContextManager[Session]]
    responses: Mapping[ActionKind, Response]
    clock: Clock
    pace: Pace
    env: str

    def act(self) -> int:
        """Do everything that is planned, each once; returns how many actions were done."""
        done, tried = 0, set[str]()
        while True:
            claim_id, wall = new_id("clm"), self.clock()
            with self.transaction() as session:
                action = queries.claim_action(session, claim_id, wall, wall + CLAIM, tried)
            if action is None:
                return done
            tried.add(action.id)
            done += self._do(action, claim_id)

    def observe(self) -> int:
        """Look for the effects of what was done; returns how many were seen for the first time."""
        with self.transaction() as session:
            waiting = list(queries.acted(session))
        return sum(self._look(action) for action in waiting)

    def _do(self, action: Action, claim_id: str) -> bool:
        try:
            facts = dict(self.responses[ActionKind(action.kind)].act(action.target, action.episode_id))
        except FirstUserError as error:
            return self._failed(action, claim_id, error)
        wall = self.clock()
        facts |= {"wall": wall.isoformat()}
        values = {"state": "acted", "acted_at": self.pace.at(wall), "acted_by": ACTOR, "detail": facts}
        with self.transaction() as session:
            if not queries.settle_action(session, action.id, claim_id, values):
                return False
            self._note(
                session, action, "action", f"{_name(action)}: done, its effect is being watched for.", facts
            )
        return True

    def _failed(self, action: Action, claim_id: str, error: FirstUserError) -> bool:
        """What may help if tried again is tried again by the next run; anything else needs a person."""
        again = error.retryable and action.attempts < ATTEMPTS
        values = {"state": "planned" if again else "failed", "detail": {"error": error.message}}
        with self.transaction() as session:
            if not again:
                values |= {"claim_id": None}
            if queries.settle_action(session, action.id, claim_id, values) and not again:
                said = f"{_name(action)} failed: {error.message} {error.fix}".strip()
                self._note(session, action, "action failed", said, {})
                self._escalate(session, action, said)
        _log.warning("an action failed", action=action.kind, error=error.message, again=again)
        return False

    def _look(self, action: Action) -> bool:
        acted = datetime.fromisoformat(action.detail["wall"])
        try:
            seen = self.responses[ActionKind(action.kind)].observe(action.target, action.detail, acted)
        except FirstUserError as error:
            seen = Observed(False, error.message)
        now = self.pace.at(self.clock())
        with self.transaction() as session:
            if seen.true:
                if queries.observe_action(session, action.id, {"state": "observed", "observed_at": now}):
                    self._note(session, action, "effect", f"{_name(action)}: {seen.said}", {})
                    return True
            elif action.state == "acted" and action.acted_at and now - action.acted_at > SEEN_WITHIN:
                queries.observe_action(session, action.id, {"state": "unobserved"})
                said = f"{_name(action)}: the effect is not to be seen. {seen.said}"
                self._note(session, action, "no effect", said, {})
                self._escalate(session, action, said)
        return False

    def _note(self, session: Session, action: Action, kind: str, said: str, facts: Mapping[str, Any]) -> None:
        wall = self.clock()
        queries.note(session, action.episode_id, self.pace.at(wall), kind, ACTOR, said)
        body = {"episode": action.episode_id, "action": action.kind, "target": action.target, "said": said}
        evidence.append(session, STREAM, kind, {**body, **facts}, wall)

    def _escalate(self, session: Session, action: Action, said: str) -> None:
        scope = f"{action.episode_id} {action.kind}"
        alerts.raise_(session, INCIDENT_FOLLOWUP.name, scope, env=self.env, message=said, now=self.clock())


def _name(action: Action) -> str:
    return f"{action.kind} {action.target}".strip()
