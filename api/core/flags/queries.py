"""SQL of flags."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.flags.models import Flag, FlagChange
from api.core.flags.rules import FlagKey

CURRENT = "select key, scope, value from flags"
"""For a plain driver connection: what the board of each process asks every two seconds."""

_SCOPE_IDS = {
    "int": text("select id from integrations where id = :given"),
    "spc": text("select id from spaces where id = :given or slug = :given"),
}


def lock(session: Session) -> None:
    """One change at a time, so that what it found is what it replaced. Readers go on."""
    session.execute(text("lock table flags in share row exclusive mode"))


def flag(session: Session, key: FlagKey, scope: str) -> Flag | None:
    return session.get(Flag, (key.value, scope), populate_existing=True)


def flags(session: Session, scopes: Collection[str] | None) -> Sequence[Flag]:
    """Of the given scopes, or of all."""
    query = select(Flag).order_by(Flag.key, Flag.scope)
    return session.scalars(query if scopes is None else query.where(Flag.scope.in_(scopes))).all()


def put(session: Session, key: FlagKey, scope: str, value: bool, reason: str, by: str, now: datetime) -> None:
    fields = {"value": value, "reason": reason, "changed_by": by, "changed_at": now}
    row = upsert(Flag).values(key=key.value, scope=scope, **fields)
    session.execute(row.on_conflict_do_update(index_elements=[Flag.key, Flag.scope], set_=fields))


def remove(session: Session, key: FlagKey, scope: str) -> None:
    session.execute(delete(Flag).where(Flag.key == key.value, Flag.scope == scope))


def note_change(
    session: Session,
    key: FlagKey,
    scope: str,
    before: bool | None,
    after: bool | None,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    session.execute(
        insert(FlagChange).values(
            key=key.value,
            scope=scope,
            before=before,
            after=after,
            reason=reason,
            changed_by=by,
            changed_at=now,
        )
    )


def changes(session: Session, key: FlagKey | None, limit: int) -> Sequence[FlagChange]:
    """Newest first."""
    query = select(FlagChange).order_by(FlagChange.id.desc()).limit(limit)
    return session.scalars(query.where(FlagChange.key == key.value) if key else query).all()


def spaces_of_integrations(session: Session) -> dict[str, str]:
    return {row.id: row.space_id for row in session.execute(text("select id, space_id from integrations"))}


def scope_id(session: Session, prefix: str, given: str) -> str | None:
    """The id of the space (by id or slug) or integration that is meant."""
    return session.scalar(_SCOPE_IDS[prefix], {"given": given})
