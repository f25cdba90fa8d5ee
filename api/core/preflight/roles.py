"""Who answers for what, as data: pure values and what they must be."""

from dataclasses import dataclass
from datetime import datetime

from api.core.preflight.records import Role


@dataclass(frozen=True, slots=True)
class Owner:
    """`channel` is "email" or "sms", `address_masked` what may be shown of it. `founder_id`: who they are
    when they log in; "" for somebody who does not. `same_reason`: why one person has two roles."""

    role: Role
    name: str
    founder_id: str
    channel: str
    address_masked: str
    same_reason: str
    assigned_by: str
    assigned_at: datetime
    called_at: datetime | None
    confirmed_at: datetime | None


def same_name(one: str, other: str) -> bool:
    """As people type their names: case and spaces tell nobody apart."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
