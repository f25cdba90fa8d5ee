"""A trip opens one episode: what is to be done about it, its timeline's beginning, evidence and alert."""

import json
from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import INCIDENT
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.incidents import decisions, episode_queries
from api.core.incidents.decisions import COOL_DOWN, TITLES, ActionKind, Cause, Mode, ModeOverride, RuleName
from api.core.incidents.readiness import Outcome
from api.core.incidents.seeing import Finding, Seen, Situation
from api.core.incidents.tally import EVERYBODY

STREAM = "incidents"
ACTOR = "incident watch"
_STATES = {Mode.AUTO: "planned", Mode.RECOMMEND: "recommended", Mode.DRY_RUN: "dry-run"}
PAGES = (ActionKind.PAGE_INCIDENT_OWNER, ActionKind.PAGE_ROLLBACK_OWNER)


def open_episode(session: Session, finding: Finding, seen: Seen, situation: Situation) -> str | None:
    """Its id; None where an episode is open already, or has just been."""
    since = finding.bad_since or situation.now
    database_down = any(
        "database" in probe.detail and probe.outcome is Outcome.FAIL and since <= probe.at
        for probe in seen.probes
    )
    why = decisions.cause(
        finding.rule, finding.scope, seen.bad_scopes, situation.deploy, since, database_down=database_down
    )
    mode = _mode(session, finding.rule, seen, situation)
    episode_id = new_id("inc")
    values = {
        "id": episode_id,
        "rule": finding.rule.value,
        "scope": finding.scope,
        "mode": mode.value,
        "cause": why.value,
        "since": since,
        "tripped_at": finding.tripped_at,
        "numbers": json.dumps(dict(finding.numbers)),
        "cooled_down": situation.now - COOL_DOWN,
    }
    number = episode_queries.open_episode(session, values)
    if number is None:
        return None
    planned = decisions.actions(why, finding.scope, seen.bad_scopes)
    for place, (kind, target) in enumerate(planned):
        state = "planned" if kind in PAGES and mode is not Mode.DRY_RUN else _STATES[mode]
        row = {"id": new_id("act"), "episode_id": episode_id, "kind": kind.value, "target": target}
        episode_queries.add_action(session, {**row, "place": place, "state": state})
    _tell(session, episode_id, number, finding, why, mode, [kind.value for kind, _ in planned], situation)
    return episode_id


def _tell(
    session: Session,
    episode_id: str,
    number: int,
    finding: Finding,
    why: Cause,
    mode: Mode,
    planned: Sequence[str],
    situation: Situation,
) -> None:
    since, tripped = finding.bad_since or situation.now, finding.tripped_at or situation.now
    episode_queries.note(session, episode_id, since, "first bad minute", ACTOR, _numbers_said(finding))
    said = f"{finding.rule.value} {TITLES[finding.rule]} tripped ({mode.value}); it looks like {why.value}."
    episode_queries.note(session, episode_id, tripped, "trip", ACTOR, said)
    body = {"episode": episode_id, "number": number, "rule": finding.rule.value, "scope": finding.scope}
    facts = {"mode": mode.value, "cause": why.value, "actions": list(planned), **finding.numbers}
    evidence.append(session, STREAM, "trip", {**body, **facts}, situation.wall)
    if mode is Mode.DRY_RUN:
        return
    doing = "Being done" if mode is Mode.AUTO else "To be done by a person"
    alerts.raise_(
        session,
        INCIDENT.name,
        episode_id,
        finding.scope,
        env=situation.env,
        message=f"{said} {_numbers_said(finding)} {doing}: {', '.join(planned)}.",
        now=situation.wall,
        metadata={"rule": finding.rule.value, "scope": finding.scope, "episode": episode_id},
    )


def _mode(session: Session, rule: RuleName, seen: Seen, situation: Situation) -> Mode:
    overrides = [
        ModeOverride(one.rule, Mode(one.mode), one.expires_at, one.created_at)
        for one in episode_queries.overrides(session, situation.now)
    ]
    busy = decisions.busy(seen.minutes.series.get(EVERYBODY, ()))
    return decisions.mode(rule, overrides, situation.configured, busy, situation.now)


def _numbers_said(finding: Finding) -> str:
    numbers = finding.numbers
    if finding.rule is RuleName.EXCHANGE_RATE:
        failed, attempted = numbers["window"]
        where = f" of {finding.scope}" if finding.scope else ""
        return f"{failed} of {attempted} exchanges{where} failed in the last five minutes."
    if finding.rule is RuleName.READINESS:
        said = f"{numbers['failures']} probes in a row failed from {numbers['first']} on."
        return f"{said} {numbers['detail']}".strip()
    hosts, integrations = ", ".join(numbers["hosts"]), len(numbers["integrations"])
    return f"{numbers['deliveries']} deliveries of {integrations} integrations to {hosts} given up."
