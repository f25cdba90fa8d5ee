"""Joining the waiting list, where one stands on it, and leaving it accepted or rejected.

A decision that has been made stays: the same one again changes nothing, the other one is a `Conflict`.
Accepting admits nobody yet: the visitor gets a code, the partner exchanges it for a grant.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from api.core.access import entry_queries, grant_queries, queries, rules
from api.core.access.models import Entry, Integration
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound
from api.core.ids import new_id

Action = Literal["accept", "reject"]
STATUS = {"accept": "accepted", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who wants in, as the partner describes them; phone and e-mail in the form that is compared."""

    external_user_id: str
    email: str | None = None
    phone: str | None = None
    referral_code: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def join(
    session: Session,
    vault: Vault,
    integration_id: str,
    external_user_id: str,
    now: datetime,
    email: str | None = None,
    referral_code: str | None = None,
) -> str:
    """The entry's id, the existing one for a user who has joined before. Raises `NotFound`."""
    who = Applicant(external_user_id, email, referral_code=referral_code)
    return enter(session, vault, integration_id, who, now)[0]


def enter(
    session: Session,
    vault: Vault,
    integration_id: str,
    who: Applicant,
    now: datetime,
    *,
    paused: bool = False,
) -> tuple[str, bool]:
    """(the entry's id, whether it is new): who has joined before keeps their entry as it is.

    A referral code that nobody of this space has is passed over. Raises `NotFound`, and `Conflict`
    `onboarding_paused` for someone new while onboarding is paused."""
    known = entry_queries.entry_of_user(session, integration_id, who.external_user_id)
    if known is not None:
        return known.id, False
    if paused:
        raise Conflict(
            "Onboarding is paused: nobody new joins for now.",
            fix="Try again later; people who have joined already go on.",
            code="onboarding_paused",
        )
    integration = _integration(session, integration_id)
    ordinal = entry_queries.next_ordinal(session, integration.space_id)
    known = entry_queries.entry_of_user(session, integration_id, who.external_user_id)
    if known is not None:  # joined by another call while this one waited for its number
        return known.id, False
    return _add(session, vault, integration, who, ordinal, now), True


def accept(session: Session, entry: Entry, now: datetime) -> bool:
    """False when it was accepted before. Raises `Conflict` `already_decided` when it was rejected."""
    return decide(session, entry.id, "accept", now)


def reject(session: Session, entry: Entry, now: datetime) -> bool:
    """False when it was rejected before. Raises `Conflict` `already_decided` when it was accepted."""
    return decide(session, entry.id, "reject", now)


def decide(session: Session, entry_id: str, action: Action, now: datetime) -> bool:
    """Whether this call decided. Raises `Conflict` `already_decided`."""
    if entry_queries.decide(session, [entry_id], STATUS[action], now):
        return True
    known = entry_queries.status_of(session, entry_id)
    if known == STATUS[action]:
        return False
    raise Conflict(
        f"Entry {entry_id} is not waiting: it is {known or 'gone'}.",
        fix="Reload the list.",
        code="already_decided",
    )


def oldest_waiting(session: Session, integration_id: str, limit: int) -> Sequence[Entry]:
    """The next ones in line, held for this transaction."""
    return entry_queries.oldest_waiting(session, _integration(session, integration_id), limit)


def user_of_email(
    session: Session, vault: Vault, integration_id: str, email: str, beginning: str
) -> str | None:
    """Who is on the list with the address, of those whose `external_user_id` begins so."""
    return entry_queries.user_of_email(session, integration_id, vault.indexes(email), beginning)


def entry(session: Session, entry_id: str) -> Entry:
    """Raises `NotFound`."""
    found = entry_queries.entry(session, entry_id)
    if found is None:
        raise NotFound(f"There is no entry {entry_id!r}.", fix="Check the id.")
    return found


def position(session: Session, entry_id: str) -> int | None:
    """The place in line, from 1; None for one who does not wait. Costs the same however long the line is."""
    return entry_queries.position(session, entry_id)


def newest(session: Session, space_id: str, limit: int) -> Sequence[Entry]:
    return entry_queries.newest_entries(session, space_id, limit)


def users_with_grant(session: Session, integration_id: str, limit: int) -> Sequence[str]:
    return grant_queries.users_with_grant(session, integration_id, limit)


def _add(
    session: Session, vault: Vault, integration: Integration, who: Applicant, ordinal: int, now: datetime
) -> str:
    """The referrer first: counters of blocks are locked from the front of the line to its end."""
    referrer = (
        entry_queries.by_referral_code(session, integration.space_id, who.referral_code)
        if who.referral_code
        else None
    )
    if referrer is not None:
        entry_queries.move_up(session, referrer.id, rules.RANKS_PER_REFERRAL, rules.MOST_REFERRALS)
    entry_id = new_id("wle")
    entry_queries.add_entry(
        session,
        {
            "id": entry_id,
            "space_id": integration.space_id,
            "integration_id": integration.id,
            "external_user_id": who.external_user_id,
            "user_id": new_id("usr"),
            "ordinal": ordinal,
            "rank": rules.rank(ordinal, 0),
            "referral_code": secrets.token_hex(6),
            "referred_by": referrer.id if referrer else None,
            "metadata_": dict(who.metadata),
            "created_at": now,
            **_sealed(vault, "email", who.email, entry_id),
            **_sealed(vault, "phone", who.phone, entry_id),
        },
    )
    return entry_id


def _sealed(vault: Vault, name: str, value: str | None, entry_id: str) -> dict[str, object]:
    if not value:
        return {}
    return {f"{name}_cipher": vault.seal(value, entry_id), f"{name}_index": vault.index(value)}


def _integration(session: Session, integration_id: str) -> Integration:
    found = queries.integration(session, integration_id)
    if found is None:
        raise NotFound(f"There is no integration {integration_id!r}.", fix="Check the id.")
    return found
