"""What people do: override a rule's mode, confirm what is recommended, resume. All of it named and kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core import audit
from api.core.alerts import service as alerts
from api.core.alerts.catalogue import INCIDENT, INCIDENT_FOLLOWUP
from api.core.errors import Conflict, NotFound, Refused
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.incidents import episode_queries as queries
from api.core.incidents.decisions import ActionKind, Mode, RuleName
from api.core.incidents.models import Episode
from api.core.incidents.opening import STREAM

LONGEST_OVERRIDE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ToUndo:
    kind: ActionKind
    target: str


def override(
    session: Session,
    rule: RuleName,
    mode: Mode,
    *,
    actor: str,
    reason: str,
    length: timedelta,
    now: datetime,
    wall: datetime,
) -> str:
    """The rule's mode for a while; `now` by the watch's clock. Raises `Refused` without actor and reason."""
    who, why = _said(actor, "An override has an actor."), _said(reason, "An override has a reason.")
    if not timedelta(0) < length <= LONGEST_OVERRIDE:
        raise Refused("An override lasts from a moment to seven days.", fix="Choose a shorter time.")
    override_id = new_id("ovr")
    queries.add_override(
        session,
        {
            "id": override_id,
            "rule": rule.value,
            "mode": mode.value,
            "actor": who,
            "reason": why,
            "created_at": now,
            "expires_at": now + length,
        },
    )
    facts = {"rule": rule.value, "mode": mode.value, "reason": why, "until": (now + length).isoformat()}
    audit.record(session, who, "incidents.override", override_id, wall, facts)
    evidence.append(session, STREAM, "override", {"actor": who, **facts}, wall)
    return override_id


def confirm(session: Session, episode_id: str, *, actor: str, now: datetime, wall: datetime) -> int:
    """A person wants done what was recommended; returns how many actions. Raises `NotFound`, `Conflict`."""
    episode, who = _open(session, episode_id), _said(actor, "Somebody confirms.")
    waiting = [one for one in queries.actions(session, episode_id) if one.state in ("recommended", "failed")]
    if not waiting:
        raise Conflict("Nothing waits for a confirmation.", fix=f"`firstuser incidents show {episode_id}`.")
    for one in waiting:
        one.state, one.attempts = "planned", 0
    session.flush()
    _note(
        session, episode, "confirmed", who, f"Confirmed: {', '.join(one.kind for one in waiting)}.", now, wall
    )
    return len(waiting)


def to_undo(session: Session, episode_id: str) -> list[ToUndo]:
    """What resuming takes back: whatever was done and no other open episode still wants."""
    episode = _open(session, episode_id)
    wanted = {
        (one.kind, one.target)
        for other in queries.episodes(session, 1000)
        if other.resolved_at is None and other.id != episode.id
        for one in queries.actions(session, other.id)
        if one.acted_at
    }
    done = [one for one in queries.actions(session, episode_id) if one.acted_at and one.undone_at is None]
    return [ToUndo(ActionKind(one.kind), one.target) for one in done if (one.kind, one.target) not in wanted]


def resolve(
    session: Session,
    episode_id: str,
    *,
    actor: str,
    reason: str,
    undone: list[str],
    env: str,
    now: datetime,
    wall: datetime,
) -> None:
    """The end of the episode, on a person's word; `undone` says what was taken back. Raises `NotFound`,
    `Conflict`."""
    episode = _open(session, episode_id)
    who, why = _said(actor, "Somebody resumes."), _said(reason, "There is a reason to resume.")
    episode.resolved_at, episode.resolved_by = now, who
    for one in queries.actions(session, episode_id):
        if one.acted_at:
            one.undone_at = now
        elif one.state in ("planned", "recommended"):
            one.state = "dropped"
    session.flush()
    said = f"Resolved: {why}. Taken back: {', '.join(undone) or 'nothing'}."
    _note(session, episode, "resolved", who, said, now, wall)
    alerts.resolve(session, INCIDENT.name, episode_id, episode.scope, env=env, now=wall)
    for about in ("did not help", "resume", *(kind.value for kind in ActionKind)):
        alerts.resolve(session, INCIDENT_FOLLOWUP.name, f"{episode_id} {about}", env=env, now=wall)


def _open(session: Session, episode_id: str) -> Episode:
    found = queries.episode(session, episode_id, lock=True)
    if found is None:
        raise NotFound(f"There is no incident {episode_id!r}.", fix="`firstuser incidents list` names them.")
    if found.resolved_at is not None:
        raise Conflict(f"It was resolved by {found.resolved_by}.", fix="There is nothing left to do.")
    return found


def _note(
    session: Session, episode: Episode, kind: str, actor: str, said: str, now: datetime, wall: datetime
) -> None:
    queries.note(session, episode.id, now, kind, actor, said)
    evidence.append(session, STREAM, kind, {"episode": episode.id, "actor": actor, "said": said}, wall)
    audit.record(session, actor, f"incidents.{kind}", episode.id, wall, {"said": said})


def _said(given: str, refusal: str) -> str:
    said = " ".join(given.split())
    if not said or len(said) > 500 or not said.isprintable():
        raise Refused(refusal, fix="Say it in up to 500 letters.")
    return said
