"""Setting, clearing and reading flags. Every change says who and why; what changes nothing is none."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import NotFound
from api.core.flags import queries, rules
from api.core.flags.rules import EVERYWHERE, NORMAL, SCOPES, FlagKey, Values

CURRENT = queries.CURRENT


@dataclass(frozen=True, slots=True)
class Switch:
    """One flag in one scope as it is stored; `changed_at` is None where it was never touched."""

    key: FlagKey
    scope: str
    value: bool
    reason: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def tripped(self) -> bool:
        return self.value != NORMAL[self.key]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` or `after` is None where there was, or is, no value of its own."""

    key: str
    scope: str
    before: bool | None
    after: bool | None
    reason: str
    changed_by: str
    changed_at: datetime


def set_value(
    session: Session, key: FlagKey, scope: str, value: bool, *, by: str, reason: str, now: datetime
) -> bool:
    """True when it changed something. Raises `NotFound` for a scope that does not exist."""
    _known(session, key, scope)
    queries.lock(session)
    found = queries.flag(session, key, scope)
    if (found.value if found else NORMAL[key]) == value:
        return False
    before = found.value if found else None
    queries.put(session, key, scope, value, reason, by, now)
    _note(session, key, scope, before, value, by, reason, now)
    return True


def clear(session: Session, key: FlagKey, scope: str, *, by: str, reason: str, now: datetime) -> bool:
    """Back to no value of its own. True when there was one."""
    rules.check_scope(key, scope)
    queries.lock(session)
    found = queries.flag(session, key, scope)
    if found is None:
        return False
    queries.remove(session, key, scope)
    _note(session, key, scope, found.value, None, by, reason, now)
    return True


def resolve(session: Session, key: FlagKey, given: str) -> str:
    """The scope that a person means: an id, a space's slug, or nothing. Raises `NotFound`."""
    if given == EVERYWHERE:
        return EVERYWHERE
    for prefix in SCOPES[key]:
        found = queries.scope_id(session, prefix, given)
        if found is not None:
            return found
    kind = " or ".join({"int": "integration", "spc": "space"}[prefix] for prefix in SCOPES[key])
    raise NotFound(f"There is no {kind} {given!r}.", fix=f"{key.value} is set for one {kind} or for all.")


def switches(session: Session, key: FlagKey, scopes: Sequence[str]) -> list[Switch]:
    """The flag in each of the scopes, in their order; untouched ones with their normal value."""
    stored = {(found.key, found.scope): found for found in stored_switches(session, scopes)}
    return [stored.get((key, scope), Switch(key, scope, NORMAL[key])) for scope in scopes]


def stored_switches(session: Session, scopes: Collection[str] | None = None) -> list[Switch]:
    known = set(FlagKey)
    return [
        Switch(FlagKey(row.key), row.scope, row.value, row.reason, row.changed_by, row.changed_at)
        for row in queries.flags(session, scopes)
        if row.key in known
    ]


def reading(session: Session, key: FlagKey, overrides: Values) -> Callable[[str], bool]:
    """The value that holds for a scope (of an integration also by its space's), as this transaction sees the
    store."""
    stored = rules.values_of((row.key, row.scope, row.value) for row in queries.flags(session, None))
    spaces = queries.spaces_of_integrations(session) if _names_spaces(key, stored, overrides) else {}
    return lambda scope: rules.effective(key, scope, stored, 0.0, overrides, spaces.get(scope, EVERYWHERE))


def fingerprint(session: Session) -> str:
    """Of everything that is stored: what every process goes by once it has read it."""
    return rules.fingerprint(rules.values_of((r.key, r.scope, r.value) for r in queries.flags(session, None)))


def history(session: Session, limit: int, key: FlagKey | None = None) -> list[Change]:
    """Newest first."""
    return [
        Change(row.key, row.scope, row.before, row.after, row.reason, row.changed_by, row.changed_at)
        for row in queries.changes(session, key, limit)
    ]


def _names_spaces(key: FlagKey, *values: Values) -> bool:
    return any(named == key and scope.startswith("spc_") for found in values for named, scope in found)


def _known(session: Session, key: FlagKey, scope: str) -> None:
    rules.check_scope(key, scope)
    if resolve(session, key, scope) != scope:
        raise NotFound(f"There is no {scope!r}.", fix="Name it by its id.")


def _note(
    session: Session,
    key: FlagKey,
    scope: str,
    before: bool | None,
    after: bool | None,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    queries.note_change(session, key, scope, before, after, reason, by, now)
    detail = {"key": key.value, "before": before, "after": after, "reason": reason}
    audit.record(
        session, by, "flags.set" if after is not None else "flags.clear", scope or "everywhere", now, detail
    )
