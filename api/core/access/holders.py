"""Who holds a grant: the person behind a partner's user, and whether a grant still stands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from api.core.access import entry_queries, grant_queries
from api.core.access.models import Entry, Grant, Integration
from api.core.errors import Conflict, Refused

Standing = Literal["active", "revoked"]


@dataclass(frozen=True, slots=True)
class Holder:
    """One person with access: the grant, the place on the list that led to it, and where."""

    grant_id: str
    entry_id: str
    user_id: str
    external_user_id: str
    integration_id: str
    space_id: str
    standing: Standing = "active"


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    external_user_id: str


def of_user(session: Session, integration_id: str, external_user_id: str) -> Holder:
    """Raises `Conflict` `no_active_grant`, for users nobody knows as for those whose grant was revoked."""
    found = grant_queries.active_grant_of_user(session, integration_id, external_user_id)
    if found is None:
        raise Conflict(
            "This user has no access.",
            fix="Exchange the code of an accepted user for a grant first.",
            code="no_active_grant",
        )
    return _holder(*found)


def of_grant(session: Session, grant_id: str) -> Holder | None:
    """None for a grant that is gone altogether."""
    found = grant_queries.grant_with_entry(session, grant_id)
    return _holder(*found) if found else None


def anyone_with_origin(session: Session) -> tuple[Holder, str] | None:
    """Somebody with access to a product that shows the widget, and where it does."""
    found = grant_queries.grant_with_origin(session)
    return (_holder(found[0], found[1]), found[2]) if found else None


def people(session: Session, entry_ids: Collection[str]) -> Mapping[str, Person]:
    """Who is behind the entries, by their ids."""
    return {
        entry.id: Person(entry.user_id, entry.external_user_id)
        for entry in entry_queries.entries(session, entry_ids)
    }


def revoked(session: Session, grant_ids: Collection[str]) -> frozenset[str]:
    """Those of the grants that do not stand any more."""
    return frozenset(grant_ids) - grant_queries.standing_grants(session, grant_ids)


def check_origin(integration: Integration, origin: str) -> None:
    """Raises `Refused` `origin_not_allowed` unless exactly this origin is registered."""
    if origin not in integration.origins:
        raise Refused(
            f"The origin {origin!r} is not registered for this integration.",
            fix="Register it on the Integrate page, exactly as browsers send it.",
            code="origin_not_allowed",
        )


def _holder(grant: Grant, entry: Entry) -> Holder:
    return Holder(
        grant_id=grant.id,
        entry_id=entry.id,
        user_id=entry.user_id,
        external_user_id=entry.external_user_id,
        integration_id=grant.integration_id,
        space_id=entry.space_id,
        standing="active" if grant.revoked_at is None else "revoked",
    )
