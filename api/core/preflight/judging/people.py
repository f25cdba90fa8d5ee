"""6: incident and rollback owner assigned and reachable, the rollback rehearsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.preflight.catalogue import REHEARSAL_FRESH
from api.core.preflight.judging import verdict
from api.core.preflight.judging.freshness import from_the_future
from api.core.preflight.records import Finding, Role, State
from api.core.preflight.roles import Owner, same_name

CONFIRMED_FRESH = timedelta(days=7)
ASKED = (Role.INCIDENT, Role.ROLLBACK)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The newest rehearsal that succeeded: from which release to which, and how long back and forth took."""

    id: str
    of_release: str
    to_release: str
    finished_at: datetime
    back_seconds: float
    forth_seconds: float
    evidence: str


def assigned(owners: Sequence[Owner]) -> Finding:
    known = {owner.role: owner for owner in owners}
    wrong = [f"there is no {role.value} owner" for role in ASKED if role not in known]
    incident, rollback = known.get(Role.INCIDENT), known.get(Role.ROLLBACK)
    same = incident and rollback and same_name(incident.name, rollback.name)
    if incident and rollback and same and not (incident.same_reason or rollback.same_reason):
        wrong.append(f"{incident.name} is both, and nobody said that this is meant")
    good = ", ".join(f"{owner.role.value}: {owner.name} ({owner.channel})" for owner in owners)
    return verdict(wrong, good)


def reached(owners: Sequence[Owner], now: datetime) -> Finding:
    wrong: list[str] = []
    moments: list[datetime] = []
    for owner in owners:
        if owner.role not in ASKED:
            continue
        if owner.confirmed_at is None:
            wrong.append(f"{owner.name} ({owner.role.value}) has not confirmed yet")
        elif odd := from_the_future(owner.confirmed_at, now):
            wrong.append(f"{owner.name} ({owner.role.value}) confirmed, but {odd}")
        elif now - owner.confirmed_at > CONFIRMED_FRESH:
            age = (now - owner.confirmed_at).days
            wrong.append(f"{owner.name} ({owner.role.value}) confirmed {age} days ago")
        else:
            moments.append(owner.confirmed_at)
    if wrong or not moments:
        return Finding(State.FAIL, "; ".join(wrong) or "there is nobody to reach")
    said = f"{len(moments)} confirmed, the first at {min(moments):%Y-%m-%d %H:%M} UTC"
    return Finding(State.PASS, said, expires_at=min(moments) + CONFIRMED_FRESH)


def rehearsed(found: Rehearsed | None, release: str, now: datetime) -> Finding:
    if found is None:
        return Finding(State.FAIL, "it was never tried")
    age = now - found.finished_at
    said = (
        f"{found.id}: {found.of_release} → {found.to_release} in {found.back_seconds:.1f} s and back in "
        f"{found.forth_seconds:.1f} s, {age.days} days ago"
    )
    wrong: list[str] = []
    if age > REHEARSAL_FRESH:
        wrong.append(f"tried last {age.days} days ago")
    if odd := from_the_future(found.finished_at, now):
        wrong.append(odd)
    if found.of_release != release:
        wrong.append(f"tried with release {found.of_release}, not with {release}")
    judged = verdict(wrong, said)
    return Finding(
        judged.state, judged.observed, expires_at=found.finished_at + REHEARSAL_FRESH, evidence=found.evidence
    )
