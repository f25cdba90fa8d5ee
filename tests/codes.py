"""Access codes of accepted people, straight into the database."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.ids import new_id

_ENTRY = """
insert into entries (id, space_id, integration_id, external_user_id, ordinal, rank, referral_code, status)
select :id, space_id, id, :user, 1, 1, :id, :status from integrations where id = :integration
"""
_CODE = """
insert into access_codes (code_sha256, entry_id, integration_id, return_url, code_challenge, expires_at)
values (:hash, :entry, :integration, :return_url, :challenge, :expires)
"""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    code: str
    entry_id: str
    external_user_id: str


def issue(
    session: Session,
    integration_id: str,
    now: datetime,
    *,
    entry: IssuedCode | None = None,
    status: str = "accepted",
    return_url: str | None = None,
    challenge: str | None = None,
    lasts: timedelta = timedelta(minutes=5),
) -> IssuedCode:
    """A code of a new person, or another one of the `entry`'s."""
    code = secrets.token_urlsafe(32)
    issued = IssuedCode(
        code,
        entry.entry_id if entry else new_id("wle"),
        entry.external_user_id if entry else new_id("user"),
    )
    if entry is None:
        row = {"id": issued.entry_id, "user": issued.external_user_id}
        session.execute(text(_ENTRY), {**row, "integration": integration_id, "status": status})
    session.execute(
        text(_CODE),
        {
            "hash": hashlib.sha256(code.encode()).digest(),
            "entry": issued.entry_id,
            "integration": integration_id,
            "return_url": return_url,
            "challenge": challenge,
            "expires": now + lasts,
        },
    )
    return issued
