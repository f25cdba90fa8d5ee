"""Entries as the founder sees them, personal data masked: one, or a page of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.access import entry_queries, queries
from api.core.access.models import Entry
from api.core.crypto import Vault
from api.core.errors import NotFound, Refused
from api.core.masking import masked

Status = Literal["waiting", "accepted", "rejected"]
After = tuple[str, str]
_BIGGEST = 2**63


@dataclass(frozen=True, slots=True)
class EntryView:
    """`position` is the place in line, from 1; None for one who does not wait."""

    id: str
    user_id: str
    external_user_id: str
    status: str
    position: int | None
    referral_code: str
    referrals: int
    created_at: datetime
    decided_at: datetime | None
    email_masked: str | None
    phone_masked: str | None


@dataclass(frozen=True, slots=True)
class EntryPage:
    """`next_after` is None on the last page."""

    entries: Sequence[EntryView]
    next_after: After | None


def view(session: Session, vault: Vault, founder_id: str, entry_id: str) -> EntryView:
    """Raises `NotFound`, for another founder's entry as for none."""
    found = owned(session, founder_id, entry_id)
    place = entry_queries.position(session, found.id)
    return _views(vault, [found], {found.id: place} if place else {})[0]


def page(
    session: Session, vault: Vault, space_id: str, status: Status | None, after: After | None, limit: int
) -> EntryPage:
    """Of one status: in the order of the line. Of all: newest first. Raises `Refused` for a foreign place."""
    if status is None:
        found = entry_queries.entries_by_age(session, space_id, _age(after) if after else None, limit + 1)
        positions = _positions(session, found[:limit])
    else:
        line = _place(after) if after else None
        found = entry_queries.entries_in_line(session, space_id, status, line, limit + 1)
        positions = _counted_on(session, found[:limit])
    shown, more = found[:limit], len(found) > limit
    return EntryPage(_views(vault, shown, positions), _key(shown[-1], status) if more else None)


def search(session: Session, vault: Vault, space_id: str, words: str, limit: int) -> Sequence[EntryView]:
    """Those whose e-mail, phone or user id this is, as a whole: what is sealed has no parts."""
    indexes = [index for form in _forms(words) for index in vault.indexes(form)]
    found = entry_queries.entries_like(session, space_id, words.strip(), indexes, limit)
    return _views(vault, found, _positions(session, found))


def waiting(session: Session, space_id: str) -> int:
    """How many wait. Costs the same however many that are."""
    return entry_queries.waiting(session, space_id)


def owned(session: Session, founder_id: str, entry_id: str) -> Entry:
    """Raises `NotFound`."""
    found = entry_queries.entry(session, entry_id)
    if found is None or queries.owner_of(session, found.space_id) != founder_id:
        raise NotFound(f"There is no entry {entry_id!r}.", fix="Check the id, and who is signed in.")
    return found


def _forms(words: str) -> set[str]:
    """As an e-mail address and a phone number are kept."""
    return {words.strip().lower(), re.sub(r"[\s().\-/]", "", words)}


def _positions(session: Session, found: Sequence[Entry]) -> Mapping[str, int]:
    waiting = [entry.id for entry in found if entry.status == "waiting"]
    return entry_queries.positions(session, waiting) if waiting else {}


def _counted_on(session: Session, line: Sequence[Entry]) -> Mapping[str, int]:
    """A page of the line counts on from the place of its first."""
    first = entry_queries.position(session, line[0].id) if line else None
    return {entry.id: first + place for place, entry in enumerate(line)} if first else {}


def _views(vault: Vault, found: Sequence[Entry], positions: Mapping[str, int]) -> list[EntryView]:
    return [
        EntryView(
            id=entry.id,
            user_id=entry.user_id,
            external_user_id=entry.external_user_id,
            status=entry.status,
            position=positions.get(entry.id),
            referral_code=entry.referral_code,
            referrals=entry.referrals,
            created_at=entry.created_at,
            decided_at=entry.decided_at,
            email_masked=_shown(vault, entry.email_cipher, entry.id),
            phone_masked=_shown(vault, entry.phone_cipher, entry.id),
        )
        for entry in found
    ]


def _shown(vault: Vault, cipher: bytes | None, entry_id: str) -> str | None:
    return masked(vault.open(cipher, entry_id)) if cipher else None


def _key(last: Entry, status: Status | None) -> After:
    first = last.created_at.isoformat() if status is None else str(last.rank)
    return first, str(last.seq)


def _age(after: After) -> tuple[datetime, int]:
    try:
        created, seq = datetime.fromisoformat(after[0]), _number(after[1])
    except ValueError:
        raise _foreign() from None
    if created.tzinfo is None:
        raise _foreign()
    return created, seq


def _place(after: After) -> tuple[int, int]:
    try:
        return _number(after[0]), _number(after[1])
    except ValueError:
        raise _foreign() from None


def _number(text: str) -> int:
    """Raises `ValueError` for what PostgreSQL's bigint cannot hold, too."""
    number = int(text)
    if not -_BIGGEST <= number < _BIGGEST:
        raise ValueError
    return number


def _foreign() -> Refused:
    return Refused(
        "The cursor is not one of ours.", fix="Start again without a cursor.", code="cursor_invalid"
    )
