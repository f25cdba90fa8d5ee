"""Login by code: `start` makes one, `verify` takes it back. The door sends it, after its commit."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.founders import limits, otp, queries
from api.core.founders.identifiers import Identifier
from api.core.founders.limits import Limits, Refusal
from api.core.founders.models import LoginCode
from api.core.ids import new_id

_ASKING = b"login codes"

KEPT = 2 * limits.DAY


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants to log in, in which browser, out of which network."""

    identifier: Identifier
    browser_id: str
    network: str


@dataclass(frozen=True, slots=True)
class CodeToSend:
    id: str
    channel: Literal["sms", "email"]
    to: str
    code: str


@dataclass(frozen=True, slots=True)
class Started:
    """`to_send` is None when nobody is to get a code; `refused` says which limit is the reason, if any is."""

    to_send: CodeToSend | None
    refused: Refusal | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """`founder_id` is set exactly when the verdict is `valid`."""

    verdict: otp.Verdict
    founder_id: str | None


def start(
    session: Session,
    vault: Vault,
    signer: Signer,
    asked: Asked,
    now: datetime,
    allowed_phones: Collection[str],
    allowed: Limits | None,
) -> Started:
    """Store a code for the browser; it goes to `allowed_phones` and their e-mails. `allowed` None: no limits.

    Known and unknown people take the same path, at the same cost, and leave the same row."""
    channel: Literal["sms", "email"] = "sms" if asked.identifier.kind == "phone" else "email"
    indexes, networks = vault.indexes(asked.identifier.value), vault.indexes(f"network {asked.network}")
    entitled_phones = {index for phone in allowed_phones for index in vault.indexes(phone)}
    queries.one_at_a_time(session, _ASKING)  # what is counted stays true until this code counts, too
    counted = queries.count(session, indexes, networks, now - limits.CODES_WINDOW, now - limits.DAY)
    refused = limits.refusal(channel, counted, allowed) if allowed else None
    founder = queries.by_index(session, indexes)
    entitled = founder is not None and founder.phone_index in entitled_phones and refused is None
    code, code_id = otp.generate(), new_id("otp")
    queries.supersede_codes(session, _hashed(asked.browser_id), now)
    queries.add_code(
        session,
        {
            "id": code_id,
            "founder_id": founder.id if founder and entitled else None,
            "browser_id": _hashed(asked.browser_id),
            "identifier_index": indexes[0],
            "ip_index": networks[0],
            "code_hmac": signer.sign(otp.signed_text(code_id, code)),
            "channel": channel if entitled else None,
            "expires_at": now + otp.CODE_TTL,
            "created_at": now,
        },
    )
    return Started(CodeToSend(code_id, channel, asked.identifier.value, code) if entitled else None, refused)


def sent(session: Session, code_id: str, now: datetime) -> None:
    """The carrier took the message. Codes with a channel and without this are those that failed."""
    queries.sent_code(session, code_id, now)


def forget(session: Session, now: datetime) -> int:
    """Drop the codes that no limit counts any more; how many."""
    return queries.delete_codes(session, now - KEPT)


def verify(
    session: Session, signer: Signer, browser_id: str, code: str, now: datetime, allowed: Limits | None
) -> Attempt:
    """Judge the code that was typed. The try is counted whatever comes of it, so the door must commit."""
    row = queries.newest_code(session, _hashed(browser_id))
    if row is None:
        return Attempt(otp.judge(None, False, now), None)
    queries.one_at_a_time(session, row.identifier_index)  # guesses of many browsers at one person
    wrong_tries = queries.wrong_tries(session, row.identifier_index, now - limits.DAY)
    locked = allowed is not None and wrong_tries >= allowed.wrong_tries
    verdict = otp.judge(_state(row, locked), signer.verify(otp.signed_text(row.id, code), row.code_hmac), now)
    queries.count_try(session, row.id)
    if verdict != "valid":
        return Attempt(verdict, None)
    queries.use_code(session, row.id, now)
    return Attempt(verdict, row.founder_id)


def _state(row: LoginCode, locked: bool) -> otp.CodeState:
    return otp.CodeState(row.founder_id, row.tries, locked, row.used_at is not None, row.expires_at)


def _hashed(browser_id: str) -> str:
    return hashlib.sha256(browser_id.encode()).hexdigest()
