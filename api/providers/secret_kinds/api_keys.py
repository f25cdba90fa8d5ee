"""Integration API keys: `api_key:<integration>`. No store carries them: a partner does, we keep the hash."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.access import owners
from api.core.access.owners import OwnedIntegration
from api.core.crypto import Vault
from api.core.errors import NotFound
from api.core.keys import succession
from api.core.rotation import service
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import SWITCHED, Current, Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView
from api.providers.secret_kinds import calls
from api.providers.secret_kinds.calls import Answer, ProductCalls
from api.providers.secret_kinds.partners import Partners, held, integration_of

START = "/api/integration/v1/waitlist/start"
NOTED_BY_NOBODY = "/api/integration/v1/users/live?cursor=rotation-check"
"""Refused for its cursor once the key is recognised: nothing is counted as the partner's first call."""

CHECK_USER = "rotation-check"
_FORGOTTEN_S = 40.0  # a process may trust a key for 30 seconds


@dataclass(frozen=True, slots=True)
class ApiKeys:
    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    product: ProductCalls
    partners: Partners

    kind = "api_key"
    held_by_partner = True

    def secrets(self, session: Session, now: datetime) -> Sequence[Held]:
        known = succession.current(session, besides=service.pending(session, self.kind))
        return held(session, self.kind, "API key", known, now)

    def current(self, session: Session, name: str) -> Current:
        for one in succession.current(session, integration_of(name)):
            return Current(1, one.id, one.created_at, one.created_by or "set up")
        raise NotFound(f"{name} has no key that works.", fix="Make one on the Integrate page.")

    def mint(self, session: Session, row: RotationRow, now: datetime) -> str:
        old = self.current(session, row.name)
        made = succession.add(session, integration_of(row.name), now, row.asked_by)
        row.detail = {
            **row.detail,
            "key_id": made.key.key_id,
            "previous_key_id": old.reference,
            "witness_id": made.witness.key_id,
        }
        row.handover = self.vault.seal(made.key.plaintext, row.id)
        row.witness = self.vault.seal(made.witness.plaintext, row.id)
        return made.key.key_id

    def store(self, rotation: RotationView) -> Sequence[Proof]:
        return [Proof("written", True, "its hash", f"api_keys {rotation.detail['key_id']}, as SHA-256 only")]

    def reload(self, rotation: RotationView) -> Sequence[Proof]:
        """Nothing to do: a key is looked up when it comes."""
        return []

    def prove(self, rotation: RotationView) -> Sequence[Proof]:
        if rotation.handover is None or rotation.witness is None:
            raise NotFound(f"{rotation.id} has lost its key.", fix="Roll it back, then rotate again.")
        key = self.vault.open(rotation.handover, rotation.id)
        proofs = [self._start(rotation, key)]
        answer = self._try(self.vault.open(rotation.witness, rotation.id))
        expected = "accepted: the call is refused for its cursor, not for its key"
        proofs.append(Proof("a key with the old one's end", answer.status != 401, expected, answer.said))
        return proofs

    def tell(self, rotation: RotationView) -> Sequence[Proof]:
        return [self.partners.tell(rotation, "API key")]

    def overlap(self, session: Session, row: RotationRow, until: datetime) -> None:
        succession.end_others(session, integration_of(row.name), row.detail["key_id"], until)

    def retire(self, rotation: RotationView) -> Sequence[Proof]:
        return [self.switched(rotation)]

    def retired(self, session: Session, row: RotationRow, now: datetime) -> None:
        integration_id, key_id = integration_of(row.name), row.detail["key_id"]
        succession.revoke_others(session, integration_id, key_id, now, row.asked_by)

    def refuse(self, rotation: RotationView) -> Sequence[Proof]:
        if rotation.witness is None:
            return []
        witness = self.vault.open(rotation.witness, rotation.id)
        answer = calls.until(401, lambda: self._try(witness), _FORGOTTEN_S)
        observed = f"{answer.said} for a key with its end"
        return [Proof("the old one is refused", answer.status == 401, "401", observed)]

    def roll_back(self, rotation: RotationView) -> Sequence[Proof]:
        return []

    def rolled_back(self, session: Session, row: RotationRow, now: datetime) -> None:
        gone = [row.detail["key_id"], row.detail["witness_id"]]
        kept = row.detail["previous_key_id"]
        succession.withdraw(session, integration_of(row.name), gone, kept, now, row.asked_by)

    def _start(self, rotation: RotationView, key: str) -> Proof:
        """The runbook's call. One that is refused for another reason than its key has shown what matters."""
        name, expected = f"POST {START} with the new key", "201 or 200"
        with self.transaction() as session:
            integration = owners.of_integration(session, integration_of(rotation.name))
        body = _start_body(integration) if integration else None
        if body is None:
            answer = self._try(key)
            said = f"key accepted; no return URL or origin is registered to start with ({answer.said})"
            return Proof(name, answer.status != 401, expected, said if answer.status != 401 else answer.said)
        answer = self.product.as_partner(key, "POST", START, body)
        if answer.status in {401, 404}:
            return Proof(name, False, expected, answer.said)
        refused = answer.status >= 300
        said = f"key accepted; refused for another reason: {answer.said}" if refused else answer.said
        return Proof(name, True, expected, said)

    def switched(self, rotation: RotationView) -> Proof:
        """By the use of the new key, other than our own."""
        with self.transaction() as session:
            integration_id, key_id = integration_of(rotation.name), rotation.detail["key_id"]
            new, old = succession.last_use(session, integration_id, key_id)
        switched = has_switched(rotation.proven_at, new)
        said = f"new one used {_when(new)}, old one last used {_when(old)}"
        return Proof(SWITCHED, switched, "the new key in use", said, required=False)

    def _try(self, key: str) -> Answer:
        return self.product.as_partner(key, "GET", NOTED_BY_NOBODY)


def has_switched(proven_at: datetime | None, new_used_at: datetime | None) -> bool:
    """Whether somebody other than the proof has used the new one."""
    return proven_at is not None and new_used_at is not None and new_used_at > proven_at


def _start_body(integration: OwnedIntegration) -> dict[str, Any] | None:
    if integration.return_urls:
        state = {"return_url": integration.return_urls[0], "state": CHECK_USER}
        return {"mode": "redirect", "external_user_id": CHECK_USER, **state}
    if integration.origins:
        return {
            "mode": "embedded",
            "external_user_id": CHECK_USER,
            "embed_origin": integration.origins[0],
        }
    return None


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
