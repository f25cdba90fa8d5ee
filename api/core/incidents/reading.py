"""Incidents as people read them: standings, episodes with their actions and timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.errors import NotFound
from api.core.incidents import episode_queries as queries
from api.core.incidents.decisions import TITLES, RuleName
from api.core.incidents.models import Episode


@dataclass(frozen=True, slots=True)
class StandingView:
    rule: str
    scope: str
    verdict: str
    judged_at: datetime
    numbers: Mapping[str, Any]
    paged: str

    def row(self) -> dict[str, object]:
        scope = self.scope or "everything"
        said = ", ".join(f"{name} {value}" for name, value in self.numbers.items())
        return {"rule": self.rule, "scope": scope, "verdict": self.verdict, "numbers": said}


@dataclass(frozen=True, slots=True)
class ActionView:
    kind: str
    target: str
    state: str
    acted_at: datetime | None
    observed_at: datetime | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    kind: str
    actor: str
    said: str


@dataclass(frozen=True, slots=True)
class EpisodeView:
    id: str
    rule: str
    title: str
    scope: str
    number: int
    mode: str
    cause: str
    since: datetime
    tripped_at: datetime
    numbers: Mapping[str, Any]
    helped: bool | None
    proposed_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    actions: Sequence[ActionView]
    timeline: Sequence[Moment]

    @property
    def state(self) -> str:
        if self.resolved_at:
            return "resolved"
        return "resume proposed" if self.proposed_at else "open"


@dataclass(frozen=True, slots=True)
class OverrideView:
    id: str
    rule: str
    mode: str
    actor: str
    reason: str
    expires_at: datetime


def standings(session: Session) -> list[StandingView]:
    return [
        StandingView(one.rule, one.scope, one.verdict, one.judged_at, one.numbers, one.paged)
        for one in queries.standings(session).values()
    ]


def episodes(session: Session, limit: int = 50) -> list[EpisodeView]:
    """Newest first."""
    return [_view(session, one) for one in queries.episodes(session, limit)]


def open_incidents(session: Session) -> set[tuple[str, str]]:
    """(rule, scope) of what is open."""
    return queries.latched(session)


def episode(session: Session, episode_id: str) -> EpisodeView:
    """Raises `NotFound`."""
    found = queries.episode(session, episode_id)
    if found is None:
        raise NotFound(f"There is no incident {episode_id!r}.", fix="`firstuser incidents list` names them.")
    return _view(session, found)


def overrides(session: Session, now: datetime) -> list[OverrideView]:
    return [
        OverrideView(one.id, one.rule, one.mode, one.actor, one.reason, one.expires_at)
        for one in queries.overrides(session, now)
    ]


def _view(session: Session, found: Episode) -> EpisodeView:
    return EpisodeView(
        id=found.id,
        rule=found.rule,
        title=TITLES[RuleName(found.rule)],
        scope=found.scope,
        number=found.number,
        mode=found.mode,
        cause=found.cause,
        since=found.since,
        tripped_at=found.tripped_at,
        numbers=found.numbers,
        helped=found.helped,
        proposed_at=found.proposed_at,
        resolved_at=found.resolved_at,
        resolved_by=found.resolved_by,
        actions=[
            ActionView(one.kind, one.target, one.state, one.acted_at, one.observed_at, one.undone_at)
            for one in queries.actions(session, found.id)
        ],
        timeline=[
            Moment(one.at, one.kind, one.actor, one.said) for one in queries.timeline(session, found.id)
        ],
    )
