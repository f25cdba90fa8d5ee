"""What the owner of an integration is told when its key or secret is rotated: an e-mail without a value."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.access import owners
from api.core.crypto import Vault
from api.core.errors import FirstUserError
from api.core.founders import service as founders
from api.core.keys.succession import CurrentKey
from api.core.ports import Messenger, OutgoingMessage
from api.core.rotation import service
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import Proof
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.webhooks.succession import CurrentSecret

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Partners:
    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    messenger: Messenger
    base_url: str

    def tell(self, rotation: RotationView, what: str) -> Proof:
        """By e-mail to the owner who has one. That nobody was reached holds nothing up, and is on record."""
        integration_id = integration_of(rotation.name)
        with self.transaction() as session:
            found = owners.of_integration(session, integration_id)
            address = founders.email(session, self.vault, found.founder_id) if found else None
        if found is None or address is None:
            return _told(False, "the owner has no e-mail address")
        subject, body = _words(rotation, what, found.name, f"{self.base_url}/app/integrate/{integration_id}")
        try:
            self.messenger.send(OutgoingMessage("email", address, subject, body))
        except FirstUserError as error:
            return _told(False, f"not sent: {error.code}")
        return _told(True, f"sent by {self.messenger.name}")


def integration_of(name: str) -> str:
    """`api_key:int_x` → `int_x`."""
    return name.partition(":")[2]


def held(
    session: Session, kind: str, called: str, known: Sequence[CurrentKey | CurrentSecret], now: datetime
) -> list[Held]:
    """`known` with its age, its version (1 for what was never rotated) and who used it lately."""
    versions = service.current_versions(session)
    names = owners.names(session, [one.integration_id for one in known])

    def of(one: CurrentKey | CurrentSecret) -> Held:
        name = f"{kind}:{one.integration_id}"
        fact = versions.get(name)
        return Held(
            name=name,
            kind=kind,
            version=fact.version if fact else 1,
            since=one.created_at,
            label=f"{called} of {names.get(one.integration_id, one.integration_id)}",
            last_used_at=one.last_used_at,
            made_by=one.created_by,
            users=[one.integration_id] if one.last_used_at and now - one.last_used_at <= _DAY else [],
        )

    return [of(one) for one in known]


def _told(ok: bool, observed: str) -> Proof:
    return Proof("the owner is told by e-mail", ok, "sent", observed, required=False)


def _words(rotation: RotationView, what: str, name: str, page: str) -> tuple[str, str]:
    if rotation.mode is Mode.INCIDENT:
        said = f"The {what} of {name} was replaced because of an incident. The old one has ended."
        return f"The {what} of {name} was replaced", f"{said} The new one is shown once at {page}."
    if rotation.mode is Mode.SCHEDULED:
        said = f"A new {what} waits for {name}: the one in use is due. It is shown once at {page}."
        ends = f"The old one goes on working until {words(rotation.grace)} after that."
        return f"A new {what} for {name}", f"{said} {ends}"
    said = f"The {what} of {name} was rotated. The old one works for {words(rotation.grace)} more."
    return f"The {what} of {name} was rotated", f"{said} See {page}."


def words(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    if hours >= 48:
        return f"{hours / 24:g} days"
    return f"{hours:g} hours" if hours >= 1 else f"{length / timedelta(minutes=1):g} minutes"
