"""The founder as a person: added, and shown masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import NotFound
from api.core.founders import identifiers, queries
from api.core.founders.models import Founder
from api.core.ids import new_id


@dataclass(frozen=True, slots=True)
class FounderView:
    id: str
    name: str
    phone_masked: str


def sealed(vault: Vault, name: str, phone: str, email: str | None, now: datetime) -> Founder:
    """A founder not yet added, personal data sealed. Raises `Refused` for a phone or e-mail that is none."""
    return _sealed(vault, new_id("fnd"), name, phone, email, now)


def _sealed(
    vault: Vault, founder_id: str, name: str, phone: str, email: str | None, now: datetime
) -> Founder:
    number = identifiers.phone(phone).value
    address = identifiers.email(email).value if email else None
    return Founder(
        id=founder_id,
        name=name,
        phone_cipher=vault.seal(number, founder_id),
        phone_index=vault.index(number),
        email_cipher=vault.seal(address, founder_id) if address else None,
        email_index=vault.index(address) if address else None,
        created_at=now,
    )


def add(session: Session, vault: Vault, name: str, phone: str, email: str | None, now: datetime) -> str:
    """The new founder's id."""
    founder = sealed(vault, name, phone, email, now)
    session.add(founder)
    session.flush()
    return founder.id


def ensure(session: Session, vault: Vault, founder_id: str, name: str, phone: str, now: datetime) -> None:
    """The founder of that id, added when they are not there yet. Whoever is not among FOUNDER_PHONES cannot
    log in."""
    if queries.founder(session, founder_id) is None:
        session.add(_sealed(vault, founder_id, name, phone, None, now))
        session.flush()


def view(session: Session, vault: Vault, founder_id: str) -> FounderView:
    """Raises `NotFound`."""
    found = queries.founder(session, founder_id)
    if found is None:
        raise NotFound(f"There is no founder {founder_id}.")
    phone = vault.open(found.phone_cipher, found.id)
    return FounderView(found.id, found.name, identifiers.masked(phone))


def has_phone(session: Session, vault: Vault, founder_id: str, phone: str) -> bool:
    """Whether the number, in any notation, is this founder's."""
    found = queries.by_index(session, vault.indexes(identifiers.phone(phone).value))
    return found is not None and found.id == founder_id


def by_phone(session: Session, vault: Vault, phone: str) -> str | None:
    """The id of the founder with that number."""
    found = queries.by_index(session, vault.indexes(identifiers.phone(phone).value))
    return found.id if found else None


def email(session: Session, vault: Vault, founder_id: str) -> str | None:
    """Where a founder gets mail; None for one who has given no address."""
    found = queries.founder(session, founder_id)
    return vault.open(found.email_cipher, found.id) if found and found.email_cipher else None


def names(session: Session, founder_ids: Sequence[str]) -> Mapping[str, str]:
    """Id → name of those that are founders."""
    return queries.names(session, founder_ids)
