"""Setting up integrations: created, named, and told which addresses are the partner's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.access import addresses, queries
from api.core.access.models import Integration
from api.core.errors import Conflict, Refused
from api.core.ids import new_id

MAX_PER_SPACE = 50
_NAME_LENGTH = 80

AddressKind = Literal["return_urls", "origins"]


@dataclass(frozen=True, slots=True)
class Change:
    """What is None stays as it is; an empty `webhook_url` takes the address away."""

    name: str | None = None
    return_urls: Sequence[str] | None = None
    origins: Sequence[str] | None = None
    webhook_url: str | None = None


def create(session: Session, space_id: str, name: str, now: datetime) -> str:
    """The new integration's id. Raises `Refused` (`name_invalid`), `Conflict` (a space full of them)."""
    if len(queries.integrations_of(session, space_id)) >= MAX_PER_SPACE:
        raise Conflict(f"A space has at most {MAX_PER_SPACE} integrations.", fix="Use one that is there.")
    integration_id = new_id("int")
    values: dict[str, object] = {"id": integration_id, "space_id": space_id, "created_at": now}
    queries.add_integration(session, values | {"name": _name(name)})
    return integration_id


def change(session: Session, integration: Integration, asked: Change) -> Sequence[str]:
    """The names of what is different now. Raises `Refused`, its code saying which part is no good."""
    wanted: dict[str, object] = {}
    if asked.name is not None:
        wanted["name"] = _name(asked.name)
    if asked.return_urls is not None:
        urls = map(addresses.return_url, asked.return_urls)
        wanted["return_urls"] = addresses.distinct(urls, "return_url")
    if asked.origins is not None:
        wanted["origins"] = addresses.distinct(map(addresses.origin, asked.origins), "origin")
    if asked.webhook_url is not None:
        wanted["webhook_url"] = (
            addresses.webhook_url(asked.webhook_url) if asked.webhook_url.strip() else None
        )
    different = {key: value for key, value in wanted.items() if getattr(integration, key) != value}
    if different:
        queries.change_integration(session, integration.id, different)
        session.refresh(integration)
    return sorted(different)


def add_address(session: Session, integration: Integration, kind: AddressKind, text: str) -> Sequence[str]:
    """As `change`, of one more address; of two additions at once neither is lost."""
    session.refresh(integration, with_for_update=True)
    return _readdress(session, integration, kind, [*getattr(integration, kind), text])


def remove_address(session: Session, integration: Integration, kind: AddressKind, text: str) -> Sequence[str]:
    """As `change`, without that address. Idempotent."""
    session.refresh(integration, with_for_update=True)
    kept = [known for known in getattr(integration, kind) if known != text]
    return _readdress(session, integration, kind, kept)


def _readdress(
    session: Session, integration: Integration, kind: AddressKind, wanted: Sequence[str]
) -> Sequence[str]:
    asked = Change(origins=wanted) if kind == "origins" else Change(return_urls=wanted)
    return change(session, integration, asked)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= _NAME_LENGTH or not name.isprintable():
        fix = f"Give it 1 to {_NAME_LENGTH} letters that can be seen."
        raise Refused("That is not a name for an integration.", fix=fix, code="name_invalid")
    return name
