"""SQL of privacy. It reads and removes rows of every capability that keeps something of a person."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.fingerprints import row_hash
from api.core.privacy import told
from api.core.privacy.models import Tombstone

_ENTRY = text("select * from entries where user_id = :user")
_THEIR_ENTRY = "(select id from entries where user_id = :user)"
_HOLD = (
    text(f"select 1 from waitlist_starts where entry_id = {_THEIR_ENTRY} for update"),  # noqa: S608
    text(f"select 1 from access_codes where entry_id = {_THEIR_ENTRY} for update"),  # noqa: S608
    text("select 1 from entries where user_id = :user for update"),
    text(f"select 1 from conversations where entry_id = {_THEIR_ENTRY} for update"),  # noqa: S608
)
_OWNER = text("select owner_id from spaces where id = :space")

KEPT = {
    "waitlist_visits": text("""
        select id, mode, return_url, state, embed_origin, created_at, expires_at
          from waitlist_starts where entry_id = :entry order by created_at, id"""),
    "access_codes": text("""
        select return_url, created_at, expires_at, used_at, grant_id
          from access_codes where entry_id = :entry order by created_at"""),
    "grants": text("""
        select id, integration_id, external_user_id, created_at, revoked_at
          from grants where entry_id = :entry order by created_at, id"""),
    "presence": text("""
        select integration_id, external_user_id, last_seen, status
          from presence where integration_id = :integration and external_user_id = :external"""),
    "conversations": text("""
        select id, created_at, last_message_at from conversations where entry_id = :entry"""),
    "messages": text("""
        select conversation_id, seq, sender, text, messages.created_at
          from messages join conversations on conversations.id = conversation_id
         where entry_id = :entry order by seq"""),
    "login_codes": text("""
        select channel, created_at, expires_at, used_at from login_codes
         where identifier_index = any(:indexes) and founder_id is null order by created_at"""),
}
"""Everything kept of a person besides their entry and webhooks, by the name it has in an export."""

_OF_ENTRY = {
    "entries": "where gone.id = :entry",
    "grants": "where gone.entry_id = :entry",
    "conversations": "where gone.entry_id = :entry",
    "messages": "join conversations of on of.id = gone.conversation_id where of.entry_id = :entry",
}
_REMOVED = text(
    " union all ".join(
        f"select '{table}', gone.created_xid::text, ({row_hash(table, 'gone')})::text"  # noqa: S608
        f" from {table} as gone {rows}"
        for table, rows in _OF_ENTRY.items()
    )
)

_DELETE_LOGIN_CODES = text(
    "delete from login_codes where identifier_index = any(:indexes) and founder_id is null"
)
_DELETE_ENTRY = text("delete from entries where id = :entry")
_DELETE_PRESENCE = text(
    "delete from presence where integration_id = :integration and external_user_id = :external"
)


def entry(session: Session, user_id: str) -> dict[str, Any] | None:
    found = session.execute(_ENTRY, {"user": user_id}).mappings().one_or_none()
    return None if found is None else {str(name): value for name, value in found.items()}


def hold(session: Session, user_id: str) -> None:
    """Nobody adds to what is kept of the person until this transaction ends. In the order in which an
    exchange takes hold of the same rows: code, then entry."""
    for statement in _HOLD:
        session.execute(statement, {"user": user_id})


def owner_of(session: Session, space_id: str) -> str | None:
    return session.scalar(_OWNER, {"space": space_id})


def kept(session: Session, person: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """`person`: user, entry, integration, external, indexes."""
    rows = {
        name: [dict(row) for row in session.execute(query, person).mappings()] for name, query in KEPT.items()
    }
    return rows | {"webhooks": told.told(session, person)}


def hashes(session: Session, entry_id: str) -> dict[str, list[dict[str, str]]]:
    """For each fingerprinted table the rows that go with the entry: `{xid, hash}`."""
    found: dict[str, list[dict[str, str]]] = {}
    for kind, xid, row in session.execute(_REMOVED, {"entry": entry_id}):
        found.setdefault(kind, []).append({"xid": xid, "hash": row})
    return found


def remove(session: Session, person: Mapping[str, Any]) -> None:
    """Everything. What partners answered once nobody publishes any more. Presence last and with its table
    held: a heartbeat under way may have seen the grant, and would write the person down again; whoever comes
    after sees that the grant is gone."""
    session.execute(_DELETE_LOGIN_CODES, person)
    session.execute(_DELETE_ENTRY, person)
    withdrawn = told.withdraw(session, person)
    if withdrawn:
        add = text("update tombstones set removed = removed || cast(:more as jsonb) where user_id = :user")
        session.execute(add, {"more": json.dumps(withdrawn), "user": person["user"]})
    session.execute(text("lock table presence in share row exclusive mode"))
    session.execute(_DELETE_PRESENCE, person)


def put_tombstone(session: Session, values: dict[str, Any]) -> None:
    row = upsert(Tombstone).values(**values)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Tombstone.user_id],
            set_={"removed": row.excluded.removed, "created_xid": func.pg_current_xact_id()},
        )
    )


def tombstone(session: Session, user_id: str) -> Tombstone | None:
    return session.scalar(select(Tombstone).where(Tombstone.user_id == user_id))


def tombstones(session: Session) -> Sequence[Tombstone]:
    """In the order of the deletions."""
    return session.scalars(select(Tombstone).order_by(Tombstone.deleted_at, Tombstone.id)).all()


def add_missing_tombstones(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    known = set(session.scalars(select(Tombstone.user_id)))
    missing = [row for row in rows if row["user_id"] not in known]
    if missing:
        session.execute(insert(Tombstone), missing)


def still_there(session: Session, user_ids: Sequence[str]) -> Sequence[str]:
    """Those of the users whose entry exists."""
    found = text("select user_id from entries where user_id = any(:users)")
    return session.scalars(found, {"users": list(user_ids)}).all()
