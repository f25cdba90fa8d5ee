"""What becomes of an open episode: did the action help, is it time to resume? A person has the last word."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy.orm import Session

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import INCIDENT_FOLLOWUP
from api.core.evidence import service as evidence
from api.core.incidents import decisions
from api.core.incidents import episode_queries as queries
from api.core.incidents.decisions import CLEAN_MINUTES, VERIFIED_AFTER, RuleName
from api.core.incidents.models import Action, Episode
from api.core.incidents.opening import ACTOR, PAGES, STREAM
from api.core.incidents.pace import MINUTE
from api.core.incidents.readiness import LONGEST_HOLE, Outcome
from api.core.incidents.seeing import Seen, Situation
from api.core.incidents.verdicts import Verdict

CLEAN_FOR = CLEAN_MINUTES * MINUTE


def follow(session: Session, seen: Seen, situation: Situation) -> None:
    """Every open episode, as it stands at this look."""
    for episode in queries.open_episodes(session):
        done = queries.actions(session, episode.id)
        acted = _acted_at(done)
        if acted and episode.verified_at is None and situation.now - acted >= VERIFIED_AFTER:
            _verify(session, episode, seen, situation)
        began = max(episode.tripped_at, acted or episode.tripped_at)
        if (
            episode.proposed_at is None
            and situation.now - began >= CLEAN_FOR
            and is_clean(episode, seen, situation)
        ):
            _propose(session, episode, done, situation)


def is_clean(episode: Episode, seen: Seen, situation: Situation) -> bool:
    """Whether nothing bad was seen for a quarter of an hour, by eyes that were open all the while."""
    rule, now = RuleName(episode.rule), situation.now
    if rule is RuleName.EXHAUSTION:
        return not any(timedelta(0) <= now - one.at <= CLEAN_FOR for one in situation.exhausted)
    if rule is RuleName.READINESS:
        lately = [probe for probe in seen.probes if now - probe.at <= CLEAN_FOR]
        times = [now - CLEAN_FOR, *(probe.at for probe in lately if probe.outcome is Outcome.PASS), now]
        holes = any(after - before > 2 * LONGEST_HOLE for before, after in pairwise(times))
        return not holes and not any(probe.outcome is Outcome.FAIL for probe in lately)
    judged = seen.judged.get(episode.scope)
    return judged is not None and decisions.clean(judged, seen.minutes.series[episode.scope])


def _acted_at(done: Sequence[Action]) -> datetime | None:
    """When the last of what was done was done."""
    return max((one.acted_at for one in done if one.acted_at), default=None)


def _verify(session: Session, episode: Episode, seen: Seen, situation: Situation) -> None:
    verdict = next(
        (one.verdict for one in seen.findings if (one.rule, one.scope) == (episode.rule, episode.scope)),
        Verdict.NO_DATA,
    )
    episode.verified_at = situation.now
    episode.helped = verdict in (Verdict.OK, Verdict.INSUFFICIENT)
    said = "It helped" if episode.helped else "It did not help"
    said = f"{said}: ten minutes after the action the verdict is {verdict.value}."
    _note(session, episode, "verification", said, situation)
    if not episode.helped:
        _call(session, episode, "did not help", f"{episode.rule} {episode.scope}: {said}", situation)


def _propose(session: Session, episode: Episode, done: Sequence[Action], situation: Situation) -> None:
    episode.proposed_at = situation.now
    switched = [one for one in done if one.acted_at and one.kind not in PAGES]
    undo = ", ".join(f"{one.kind} {one.target}".strip() for one in switched)
    confirm = f"A person confirms: `firstuser incidents resume {episode.id} --by NAME --reason WHY`."
    said = f"{CLEAN_MINUTES} clean minutes: resume? {confirm}"
    _note(session, episode, "proposal", f"{said} To be taken back: {undo or 'nothing'}.", situation)
    _call(session, episode, "resume", said, situation)


def _note(session: Session, episode: Episode, kind: str, said: str, situation: Situation) -> None:
    queries.note(session, episode.id, situation.now, kind, ACTOR, said)
    evidence.append(session, STREAM, kind, {"episode": episode.id, "said": said}, situation.wall)


def _call(session: Session, episode: Episode, about: str, said: str, situation: Situation) -> None:
    if episode.mode == decisions.Mode.DRY_RUN:
        return
    scope = f"{episode.id} {about}"
    alerts.raise_(session, INCIDENT_FOLLOWUP.name, scope, env=situation.env, message=said, now=situation.wall)
