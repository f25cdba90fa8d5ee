"""A founder's decisions on entries, one or many, audited. What a decision means: see `waitlist`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core import audit
from api.core.access import entries, entry_queries, waitlist
from api.core.access.waitlist import STATUS, Action

Result = Literal["decided", "unchanged", "conflict", "not_found"]
MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """`unchanged`: decided so before; `conflict`: decided the other way; `not_found`: not of this space."""

    id: str
    result: Result


def decide(session: Session, founder_id: str, entry_id: str, action: Action, now: datetime) -> bool:
    """Whether anything changed. Raises `NotFound`, `Conflict` `already_decided`."""
    entry = entries.owned(session, founder_id, entry_id)
    changed = waitlist.decide(session, entry.id, action, now)
    if changed:
        audit.record(session, founder_id, f"entries.{action}", entry.id, now)
    return changed


def decide_many(
    session: Session, founder_id: str, space_id: str, action: Action, ids: Sequence[str], now: datetime
) -> Sequence[Outcome]:
    """One outcome for each distinct id, in the order given."""
    distinct = list(dict.fromkeys(ids))
    before = entry_queries.hold(session, space_id, distinct)
    decided = set(entry_queries.decide(session, before.keys(), STATUS[action], now))
    _note(session, founder_id, space_id, action, sorted(decided), now)
    return [Outcome(one, _result(one in decided, before.get(one), action)) for one in distinct]


def decide_first(
    session: Session, founder_id: str, space_id: str, action: Action, number: int, now: datetime
) -> Sequence[Outcome]:
    """The next `number` in line, in its order; those that another call is deciding on are passed over."""
    held = entry_queries.next_in_line(session, space_id, number)
    decided = set(entry_queries.decide(session, held, STATUS[action], now))
    _note(session, founder_id, space_id, action, sorted(decided), now)
    return [Outcome(one, "decided") for one in held if one in decided]


def _result(decided: bool, before: str | None, action: Action) -> Result:
    if decided:
        return "decided"
    if before is None:
        return "not_found"
    return "unchanged" if before == STATUS[action] else "conflict"


def _note(
    session: Session, founder_id: str, space_id: str, action: Action, ids: Sequence[str], now: datetime
) -> None:
    if ids:
        audit.record(session, founder_id, f"entries.{action}", space_id, now, {"entries": list(ids)})
