"""A founder with a space and an integration, for tests of core."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.core.access.models import Integration, Space
from api.core.crypto import Vault
from api.core.founders import service as founders
from api.core.ids import new_id
from tests.product import NOW


@dataclass(frozen=True, slots=True)
class Place:
    founder_id: str
    space_id: str
    slug: str
    integration_id: str


def new_place(session: Session, vault: Vault, phone: str = "+447700900900") -> Place:
    founder_id = founders.add(session, vault, "Noor Test", phone, None, NOW)
    slug = new_id("s").replace("_", "-")
    space = Space(id=new_id("spc"), slug=slug, name="Test", owner_id=founder_id, created_at=NOW)
    session.add(space)
    session.flush()
    integration = Integration(
        id=new_id("int"), space_id=space.id, name="Web app", return_urls=[], origins=[], created_at=NOW
    )
    session.add(integration)
    session.flush()
    return Place(founder_id, space.id, slug, integration.id)
