"""Login by code: `start` makes one, `verify` takes it back. The door sends it, after its commit."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.founders import otp, queries
from api.core.founders.identifiers import Identifier
from api.core.founders.models import Founder, LoginCode
from api.core.ids import new_id


@dataclass(frozen=True, slots=True)
class CodeToSend:
    channel: Literal["sms", "email"]
    to: str
    code: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """`founder_id` is set exactly when the verdict is `valid`."""

    verdict: otp.Verdict
    founder_id: str | None


def start(
    session: Session,
    vault: Vault,
    signer: Signer,
    identifier: Identifier,
    browser_id: str,
    now: datetime,
    allowed_phones: Collection[str],
    max_codes: int | None = otp.MAX_CODES_PER_WINDOW,
) -> CodeToSend | None:
    """Store a code for the browser; None when nobody is to get it. `max_codes` within `otp.CODES_WINDOW`.

    Known and unknown people take the same path and leave the same row."""
    indexes = vault.indexes(identifier.value)
    founder = queries.by_index(session, indexes)
    entitled = founder if founder and _allowed(vault, founder, allowed_phones) else None
    if max_codes is not None and queries.codes_since(session, indexes, now - otp.CODES_WINDOW) >= max_codes:
        entitled = None
    code, code_id = otp.generate(), new_id("otp")
    queries.add_code(
        session,
        {
            "id": code_id,
            "founder_id": entitled.id if entitled else None,
            "browser_id": _hashed(browser_id),
            "identifier_index": indexes[0],
            "code_hmac": signer.sign(otp.signed_text(code_id, code)),
            "expires_at": now + otp.CODE_TTL,
            "created_at": now,
        },
    )
    channel = "sms" if identifier.kind == "phone" else "email"
    return CodeToSend(channel, identifier.value, code) if entitled else None


def verify(session: Session, signer: Signer, browser_id: str, code: str, now: datetime) -> Attempt:
    """Judge the code that was typed. The try is counted whatever comes of it, so the door must commit."""
    row = queries.newest_code(session, _hashed(browser_id))
    matches = row is not None and signer.verify(otp.signed_text(row.id, code), row.code_hmac)
    verdict = otp.judge(_state(row), matches, now)
    if row is None:
        return Attempt(verdict, None)
    queries.count_try(session, row.id)
    if verdict != "valid":
        return Attempt(verdict, None)
    queries.use_code(session, row.id, now)
    return Attempt(verdict, row.founder_id)


def _state(row: LoginCode | None) -> otp.CodeState | None:
    if row is None:
        return None
    return otp.CodeState(row.founder_id, row.tries, row.used_at is not None, row.expires_at)


def _allowed(vault: Vault, founder: Founder, allowed_phones: Collection[str]) -> bool:
    return vault.open(founder.phone_cipher, founder.id) in allowed_phones


def _hashed(browser_id: str) -> str:
    return hashlib.sha256(browser_id.encode()).hexdigest()
