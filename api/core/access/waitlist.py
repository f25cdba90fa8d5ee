"""Joining the waiting list, and being accepted or rejected from it."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.access import queries
from api.core.access.models import Entry, Integration
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound
from api.core.ids import new_id


def join(
    session: Session,
    vault: Vault,
    integration_id: str,
    external_user_id: str,
    now: datetime,
    email: str | None = None,
) -> str:
    """The entry's id, the existing one for a user who has joined before. Raises `NotFound`."""
    known = queries.entry_of_user(session, integration_id, external_user_id)
    if known is not None:
        return known.id
    integration = _integration(session, integration_id)
    entry_id = new_id("wle")
    ordinal = queries.next_ordinal(session, integration.space_id)
    values: dict[str, object] = {
        "id": entry_id,
        "space_id": integration.space_id,
        "integration_id": integration.id,
        "external_user_id": external_user_id,
        "user_id": new_id("usr"),
        "ordinal": ordinal,
        "rank": ordinal,
        "referral_code": secrets.token_hex(6),
        "created_at": now,
    }
    if email:
        values |= {"email_cipher": vault.seal(email, entry_id), "email_index": vault.index(email)}
    queries.add_entry(session, values)
    return entry_id


def accept(session: Session, entry: Entry, now: datetime) -> str:
    """The grant's id. Raises `Conflict` when the entry has been decided on already."""
    if entry.integration_id is None or not queries.decide(session, entry.id, "accepted", now):
        raise Conflict(f"Entry {entry.id} is not waiting.", fix="Reload the list.")
    grant_id = new_id("grt")
    queries.add_grant(
        session,
        {
            "id": grant_id,
            "integration_id": entry.integration_id,
            "entry_id": entry.id,
            "external_user_id": entry.external_user_id,
            "created_at": now,
        },
    )
    return grant_id


def reject(session: Session, entry: Entry, now: datetime) -> None:
    """Raises `Conflict` when the entry has been decided on already."""
    if not queries.decide(session, entry.id, "rejected", now):
        raise Conflict(f"Entry {entry.id} is not waiting.", fix="Reload the list.")


def oldest_waiting(session: Session, integration_id: str, limit: int) -> Sequence[Entry]:
    """The next ones in line, held for this transaction."""
    return queries.oldest_waiting(session, _integration(session, integration_id), limit)


def newest(session: Session, space_id: str, limit: int) -> Sequence[Entry]:
    return queries.newest_entries(session, space_id, limit)


def users_with_grant(session: Session, integration_id: str, limit: int) -> Sequence[str]:
    return queries.users_with_grant(session, integration_id, limit)


def _integration(session: Session, integration_id: str) -> Integration:
    found = queries.integration(session, integration_id)
    if found is None:
        raise NotFound(f"There is no integration {integration_id!r}.", fix="Check the id.")
    return found
