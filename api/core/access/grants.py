"""Grants: who is in, as the partner asks, until the partner takes it back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core import audit
from api.core.access import grant_queries
from api.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class GrantView:
    id: str
    user_id: str
    external_user_id: str
    entry_id: str
    created_at: datetime
    revoked_at: datetime | None


def view(session: Session, integration_id: str, grant_id: str) -> GrantView:
    """Raises `NotFound`, for another integration's grant as for none."""
    found = grant_queries.grant_with_entry(session, grant_id)
    if found is None or found[0].integration_id != integration_id:
        raise NotFound("There is no such grant.", fix="Check the id, and whose key it is.")
    grant, entry = found
    return GrantView(
        grant.id, entry.user_id, grant.external_user_id, entry.id, grant.created_at, grant.revoked_at
    )


def revoke(session: Session, integration_id: str, grant_id: str, now: datetime) -> GrantView:
    """The grant as it is from now on; one that has ended before stays as it was. Raises `NotFound`."""
    view(session, integration_id, grant_id)
    if grant_queries.revoke_grant(session, grant_id, now):
        audit.record(session, integration_id, "grants.revoke", grant_id, now)
    return view(session, integration_id, grant_id)
