"""One integration as its setup page and its JSON show it: composed of three capabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.core.access import milestones
from api.core.access import service as access
from api.core.access.models import Integration
from api.core.access.rules import ChecklistItem, SetupFacts, checklist
from api.core.keys import service as keys
from api.core.keys.rules import WORKING
from api.core.keys.service import KeyView
from api.core.webhooks import secrets
from api.core.webhooks.secrets import SecretView
from api.db.engine import Session
from api.http.services import Services


@dataclass(frozen=True, slots=True)
class IntegrationSetup:
    integration: Integration
    keys: Sequence[KeyView]
    secrets: Sequence[SecretView]
    checklist: Sequence[ChecklistItem]


def load(session: Session, at: Services, founder_id: str, integration_id: str) -> IntegrationSetup:
    """Raises `NotFound`."""
    found = access.integration(session, founder_id, integration_id)
    known_keys = keys.of_integration(session, found.id)
    facts = SetupFacts(
        has_key=any(key.state(at.clock()) in WORKING for key in known_keys),
        return_urls=len(found.return_urls),
        origins=len(found.origins),
        milestones=milestones.of(session, found.id),
    )
    return IntegrationSetup(found, known_keys, secrets.of_integration(session, found.id), checklist(facts))
