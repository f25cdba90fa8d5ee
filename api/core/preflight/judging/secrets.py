"""7: no secret is older than its cadence allows, and none is older than the last incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.preflight.records import Finding, State

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Age:
    """`since` is None where nobody knows when the secret was made."""

    name: str
    since: datetime | None


def within(
    ages: Sequence[Age], days: int, now: datetime, *, nothing: str, last_incident: datetime | None = None
) -> Finding:
    """`nothing`: what it means that there is none at all."""
    if not ages:
        return Finding(State.PASS, nothing)
    unknown = [age.name for age in ages if age.since is None]
    known = [(age.since, age.name) for age in ages if age.since is not None]
    late = sorted((since, name) for since, name in known if now - since > timedelta(days=days))
    before = sorted((since, name) for since, name in known if last_incident and since <= last_incident)
    wrong: list[str] = []
    if late:
        oldest = (now - late[0][0]).days
        wrong.append(f"{len(late)} of {len(ages)} are overdue, the oldest {oldest} days old: {_some(late)}")
    if before and last_incident:
        wrong.append(f"older than the incident of {last_incident:%Y-%m-%d}: {_some(before)}")
    if wrong:
        return Finding(State.FAIL, "; ".join(wrong))
    if unknown:
        said = f"nobody knows how old {', '.join(unknown[:_NAMED])} is"
        return Finding(State.INCONCLUSIVE, said)
    first = min(since for since, _ in known)
    said = f"{len(ages)} in use, the oldest {(now - first).days} days old"
    return Finding(State.PASS, said, expires_at=first + timedelta(days=days))


def _some(found: Sequence[tuple[datetime, str]]) -> str:
    named = ", ".join(name for _, name in found[:_NAMED])
    return named + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
