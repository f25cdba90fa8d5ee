"""Owners: assigned, called by a message with a single-use code, confirmed by whoever opens it.

The address is sealed; pages see it masked. Every change is audited. The caller commits, then sends the call.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.core import audit
from api.core.crypto import Vault
from api.core.errors import Expired, NotFound, Refused
from api.core.ids import new_id
from api.core.masking import masked
from api.core.preflight import queries
from api.core.preflight.records import Role
from api.core.preflight.roles import Owner

CODE_TTL = timedelta(days=2)
CHANNELS = ("email", "sms")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`address` in the form that a messenger takes. `same_reason`: why one person has two roles."""

    role: Role
    name: str
    channel: str
    address: str
    founder_id: str = ""
    same_reason: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What to send: the link holds `code`, which is kept only as a hash."""

    role: Role
    name: str
    channel: str
    address: str
    code: str


def assign(session: Session, vault: Vault, asked: Assignment, actor: str, now: datetime) -> None:
    """Give the role to somebody. They have to confirm, whoever had it before. Raises `Refused`. Audited."""
    name = " ".join(asked.name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise Refused("An owner has a name.", fix="Give it in up to 100 letters.")
    if asked.channel not in CHANNELS:
        raise Refused(f"An owner is not reached by {asked.channel!r}.", fix="Choose email or sms.")
    owner_id = new_id("own")
    queries.put_owner(
        session,
        {
            "role": asked.role.value,
            "id": owner_id,
            "name": name,
            "founder_id": asked.founder_id,
            "channel": asked.channel,
            "address_cipher": vault.seal(asked.address, owner_id),
            "address_masked": masked(asked.address),
            "same_reason": " ".join(asked.same_reason.split())[:500],
            "assigned_by": actor,
            "assigned_at": now,
        },
    )
    said = {"name": name, "channel": asked.channel, "same_reason": asked.same_reason}
    audit.record(session, actor, "owners.assign", asked.role.value, now, said)


def drop(session: Session, role: Role, actor: str, now: datetime) -> None:
    """Raises `NotFound`. Audited."""
    if not queries.drop_owner(session, role.value):
        raise _nobody(role)
    audit.record(session, actor, "owners.drop", role.value, now)


def call(session: Session, vault: Vault, role: Role, actor: str, now: datetime) -> Call:
    """A new code; an older one works no more. Raises `NotFound`. Audited."""
    found = queries.owner(session, role.value)
    if found is None:
        raise _nobody(role)
    code = secrets.token_urlsafe(24)
    queries.call_owner(session, role.value, _digest(code), now + CODE_TTL, now)
    audit.record(session, actor, "owners.call", role.value, now, {"channel": found["channel"]})
    address = vault.open(found["address_cipher"], found["id"])
    return Call(role, found["name"], found["channel"], address, code)


def asked_by(session: Session, code: str, now: datetime, *, lock: bool = False) -> Owner:
    """Whom a code was sent to; changes nothing. Raises `NotFound` (unknown or used), `Expired`."""
    found = queries.owner_by_code(session, _digest(code), lock=lock)
    if found is None:
        raise NotFound("This link is not known, or was used.", fix="Ask for a new one.")
    if found["code_expires_at"] <= now:
        raise Expired("This link is too old.", fix="Ask for a new one.")
    return _owner(found)


def confirm(session: Session, code: str, now: datetime) -> Owner:
    """Once per code. Raises as `asked_by`. Audited."""
    owner = asked_by(session, code, now, lock=True)
    queries.confirm_owner(session, owner.role.value, now)
    audit.record(session, owner.name, "owners.confirm", owner.role.value, now)
    return owner


def all_owners(session: Session) -> Sequence[Owner]:
    """In the order incident, rollback, release."""
    return [_owner(row) for row in queries.owners(session)]


def _owner(row: RowMapping) -> Owner:
    return Owner(
        role=Role(row["role"]),
        name=row["name"],
        founder_id=row["founder_id"],
        channel=row["channel"],
        address_masked=row["address_masked"],
        same_reason=row["same_reason"],
        assigned_by=row["assigned_by"],
        assigned_at=row["assigned_at"],
        called_at=row["called_at"],
        confirmed_at=row["confirmed_at"],
    )


def _nobody(role: Role) -> NotFound:
    return NotFound(f"There is no {role.value} owner.", fix="Assign one first.")


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
