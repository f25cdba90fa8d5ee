"""One look: judge, page, open episodes, follow those that are open; all of it in our own rows.

Any number of evaluators may look at once, or late: a trip opens one episode, and only the newest closed
minute is judged. What has to be done outside is planned here and done by `acting`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import INCIDENT_SIGNAL
from api.core.evidence import service as evidence
from api.core.incidents import episode_queries, following, opening
from api.core.incidents.decisions import RuleName
from api.core.incidents.opening import STREAM
from api.core.incidents.seeing import Finding, Situation, see
from api.core.incidents.tally import EVERYBODY


def look(session: Session, situation: Situation) -> list[str]:
    """Judge, page, open; returns the ids of episodes that were opened."""
    before = episode_queries.standings(session)
    readiness = before.get((RuleName.READINESS, EVERYBODY))
    seen = see(session, situation, readiness.observed_until if readiness else None)
    opened: list[str] = []
    for finding in seen.findings:
        stood = before.get((finding.rule, finding.scope))
        if stood is None or stood.verdict != finding.verdict:
            _record(session, finding, stood.verdict if stood else "", situation.wall)
        _stand(session, finding, situation.now)
        if finding.tripped_at is not None:
            episode_id = opening.open_episode(session, finding, seen, situation)
            opened += [episode_id] if episode_id else []
    following.follow(session, seen, situation)
    latched = episode_queries.latched(session)
    for finding in seen.findings:
        _page(session, finding, situation, known=(finding.rule.value, finding.scope) in latched)
    return opened


def _record(session: Session, finding: Finding, before: str, wall: datetime) -> None:
    body = {"rule": finding.rule.value, "scope": finding.scope, "verdict": finding.verdict.value}
    evidence.append(session, STREAM, "verdict", {**body, "before": before, **finding.numbers}, wall)


def _stand(session: Session, finding: Finding, now: datetime) -> None:
    episode_queries.put_standing(
        session,
        {
            "rule": finding.rule.value,
            "scope": finding.scope,
            "verdict": finding.verdict.value,
            "judged_at": now,
            "observed_until": finding.observed_until,
            "numbers": dict(finding.numbers),
            "paged": finding.page,
        },
    )


def _page(session: Session, finding: Finding, situation: Situation, *, known: bool) -> None:
    """What calls a person without a trip. Over when it is not so any more, or an episode has called them."""
    at: dict[str, Any] = {"env": situation.env, "now": situation.wall}
    scope = f"{finding.rule.value} {finding.scope}".strip()
    if finding.page and not known:
        alerts.raise_(session, INCIDENT_SIGNAL.name, scope, message=finding.page, **at)
    elif finding.rule is RuleName.EXCHANGE_RATE:
        alerts.resolve(session, INCIDENT_SIGNAL.name, scope, **at)
