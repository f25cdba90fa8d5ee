"""Grants: who is in."""

from datetime import datetime

from sqlalchemy.orm import Session

from api.core.access import queries
from api.core.access.models import Entry
from api.core.ids import new_id


def give(session: Session, entry: Entry, now: datetime) -> str:
    """The new grant's id, for an accepted entry: what an exchange comes down to."""
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
