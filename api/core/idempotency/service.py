"""Claim a key, act, answer: the same call again gets the first one's answer for 24 hours.

The claim is committed before the act; the answer is written in the act's own transaction, so that it is there
exactly when the effect is. Whoever dies in between frees the key after a minute, and can't answer any more.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Conflict, Refused
from api.core.idempotency import queries

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls what with which key. `operation`: method and path."""

    caller: str
    operation: str
    key: str
    body_sha256: bytes

    @classmethod
    def of(cls, caller: str, operation: str, key: str, body: bytes) -> "Call":
        return cls(caller, operation, key, hashlib.sha256(body).digest())

    @property
    def name(self) -> queries.Name:
        return self.caller, self.operation, self.key

    @property
    def row_id(self) -> str:
        return " ".join(self.name)


@dataclass(frozen=True, slots=True)
class Stored:
    status: int
    body: str


class InFlight(Conflict):
    code = "idempotency_in_flight"
    retryable = True


def claim(session: Session, vault: Vault, call: Call, now: datetime) -> Stored | None:
    """None: go on, and commit first. `Stored`: the answer that the call has had.

    Raises `InFlight` while the first call is under way, `Refused` when its body was another one."""
    if queries.claim(session, call.name, call.body_sha256, now, now - KEPT, now - ABANDONED):
        return None
    known = queries.found(session, call.name)
    if known is not None and known.body_sha256 != call.body_sha256:
        raise Refused(
            "This Idempotency-Key came with another body before.",
            fix="Use a new key for each new request.",
            code="idempotency_key_reused",
        )
    if known is None or known.status is None or known.response_cipher is None:
        raise InFlight(
            "The first request with this Idempotency-Key is still under way.",
            fix="Send the same again in a few seconds.",
        )
    return Stored(known.status, vault.open(known.response_cipher, call.row_id))


def answer(session: Session, vault: Vault, call: Call, claimed_at: datetime, stored: Stored) -> None:
    """Raises `InFlight` when another call took the key over: what this one did must be rolled back."""
    cipher = vault.seal(stored.body, call.row_id)
    if not queries.answer(session, call.name, claimed_at, stored.status, cipher):
        raise InFlight("This request took so long that another one with its key went ahead.")


def release(session: Session, call: Call, claimed_at: datetime) -> None:
    """The act was refused or failed: the key is free again."""
    queries.release(session, call.name, claimed_at)


def forget(session: Session, now: datetime) -> int:
    """Removes the keys that are past their time; returns how many."""
    return queries.forget(session, now - KEPT)
