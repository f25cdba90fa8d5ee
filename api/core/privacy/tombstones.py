"""Forgetting a person: everything goes in one transaction, a tombstone without personal data stays.

A copy restored to a moment before the deletion brings the person back; `replay` makes it forget them again.
Both may be repeated.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.privacy import queries
from api.core.privacy.models import Tombstone


def forget(session: Session, user_id: str, *, by: str, at: datetime) -> bool:
    """False when there is nobody with this id (any more)."""
    queries.hold(session, user_id)
    entry = queries.entry(session, user_id)
    if entry is None:
        return False
    values = {
        "user_id": user_id,
        "entry_id": entry["id"],
        "space_id": entry["space_id"],
        "deleted_at": at,
        "deleted_by": by,
        "removed": queries.hashes(session, entry["id"]),
    }
    queries.put_tombstone(session, values)
    queries.remove(session, person(entry))
    return True


def replay(source: Session, copy: Session) -> tuple[int, int, int]:
    """Forget on `copy` everyone whom `source` has forgotten: (tombstones replayed, people who were back,
    people who still are)."""
    known = {stone.user_id: stone for stone in queries.tombstones(source)}
    back = queries.still_there(copy, list(known))
    for user_id in back:
        forget(copy, user_id, by=known[user_id].deleted_by, at=known[user_id].deleted_at)
    queries.add_missing_tombstones(copy, [_row(stone) for stone in known.values()])
    return len(known), len(back), len(queries.still_there(copy, list(known)))


def person(entry: Mapping[str, Any]) -> dict[str, Any]:
    """By what rows of theirs are found."""
    return {
        "user": entry["user_id"],
        "entry": entry["id"],
        "integration": entry["integration_id"],
        "external": entry["external_user_id"],
        "indexes": [index for index in (entry["email_index"], entry["phone_index"]) if index],
    }


def _row(stone: Tombstone) -> dict[str, Any]:
    return {
        "user_id": stone.user_id,
        "entry_id": stone.entry_id,
        "space_id": stone.space_id,
        "deleted_at": stone.deleted_at,
        "deleted_by": stone.deleted_by,
    }
