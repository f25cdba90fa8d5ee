"""Whose an integration is, for those who act on behalf of nobody signed in."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.core.access import queries


@dataclass(frozen=True, slots=True)
class OwnedIntegration:
    id: str
    name: str
    founder_id: str
    return_urls: Sequence[str]
    origins: Sequence[str]
    webhook_url: str | None


def of_integration(session: Session, integration_id: str) -> OwnedIntegration | None:
    found = queries.integration(session, integration_id)
    owner = queries.owner_of(session, found.space_id) if found else None
    if found is None or owner is None:
        return None
    return OwnedIntegration(found.id, found.name, owner, found.return_urls, found.origins, found.webhook_url)


def names(session: Session, integration_ids: Sequence[str]) -> dict[str, str]:
    """Id → name."""
    return queries.integration_names(session, integration_ids)
