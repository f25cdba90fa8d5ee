"""Handing out everything kept of a person, and deleting it. Only the owner of the space may."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core import audit
from api.core.crypto import Vault
from api.core.errors import NotFound
from api.core.masking import masked
from api.core.privacy import queries, tombstones


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person, in numbers and masked. `deleted_at`: nothing is, any more."""

    user_id: str
    deleted_at: datetime | None
    entry: Mapping[str, Any]
    counts: Mapping[str, int]


def look(session: Session, vault: Vault, founder_id: str, user_id: str) -> Kept:
    """Raises `NotFound`, for another founder's user as for none."""
    found = queries.entry(session, user_id)
    if found is not None and queries.owner_of(session, found["space_id"]) == founder_id:
        document = export(session, vault, user_id)
        entry = {
            name: masked(value) if value and name in {"email", "phone"} else value
            for name, value in document["entry"].items()
        }
        counts = {name: len(rows) for name, rows in document.items() if isinstance(rows, list)}
        return Kept(user_id, None, entry, counts)
    gone = queries.tombstone(session, user_id)
    if gone is not None and queries.owner_of(session, gone.space_id) == founder_id:
        return Kept(user_id, gone.deleted_at, {}, {})
    raise _unknown(user_id)


def export_for(
    session: Session, vault: Vault, founder_id: str, user_id: str, now: datetime
) -> dict[str, Any]:
    """Everything kept of the person, audited. Raises `NotFound`, for another founder's user as for none."""
    _check_owner(session, founder_id, user_id)
    audit.record(session, founder_id, "users.export", user_id, now)
    return {**export(session, vault, user_id), "exported_at": now.isoformat()}


def export(session: Session, vault: Vault, user_id: str) -> dict[str, Any]:
    """Everything kept of the person, as one JSON document. Raises `NotFound`."""
    found = queries.entry(session, user_id)
    if found is None:
        raise _unknown(user_id)
    rows = queries.kept(session, tombstones.person(found))
    return {"object": "export", "user_id": user_id, "entry": _entry(vault, found), **_plain(rows)}


def delete_for(session: Session, founder_id: str, user_id: str, now: datetime) -> bool:
    """Remove everything kept of the person and leave a tombstone, audited. False when that was done before.
    Raises `NotFound`, for another founder's user as for none."""
    gone = queries.tombstone(session, user_id)
    if gone is not None and queries.owner_of(session, gone.space_id) == founder_id:
        return False
    _check_owner(session, founder_id, user_id)
    if not tombstones.forget(session, user_id, by=founder_id, at=now):
        return False  # another request was faster
    audit.record(session, founder_id, "users.delete", user_id, now)
    return True


def _check_owner(session: Session, founder_id: str, user_id: str) -> None:
    found = queries.entry(session, user_id)
    if found is None or queries.owner_of(session, found["space_id"]) != founder_id:
        raise _unknown(user_id)


def _unknown(user_id: str) -> NotFound:
    return NotFound(f"There is no user {user_id!r}.", fix="Check the id, and who is signed in.")


def _entry(vault: Vault, row: Mapping[str, Any]) -> dict[str, Any]:
    opened = {
        name: vault.open(row[f"{name}_cipher"], row["id"]) if row[f"{name}_cipher"] else None
        for name in ("email", "phone")
    }
    named = ("id", "space_id", "integration_id", "external_user_id", "status", "referral_code", "referrals")
    more = ("referred_by", "ordinal", "metadata", "created_at", "decided_at")
    return {name: _value(row[name]) for name in named} | opened | {name: _value(row[name]) for name in more}


def _plain(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        table: [{name: _value(value) for name, value in row.items()} for row in rows]
        for table, rows in tables.items()
    }


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
