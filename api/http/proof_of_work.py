"""Proof of work on the homepage's form, as ALTCHA does it (https://altcha.org): who wants a mail sent lets a
browser compute for about half a second first, and a machine that wants thousands of them for each one.

GET /join/challenge → a worker of the page looks for a counter whose PBKDF2 begins with a zero byte → the form
brings both back in `altcha`. Nothing is stored of a challenge, it is signed; what is solved is spent once.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from altcha import Payload, create_challenge, verify_solution

from api.core.crypto import Vault, derive
from api.core.idempotency import service as idempotency
from api.core.idempotency.service import Call, Stored
from api.db.engine import Session

LIFETIME_S = 600
_ALGORITHM, _ITERATIONS = "PBKDF2/SHA-256", 5000
_PURPOSE = "proof-of-work"


class Proofs:
    """`ring`: secrets, the current one first."""

    def __init__(self, ring: Sequence[str]) -> None:
        self.turn(ring)

    def turn(self, ring: Sequence[str]) -> None:
        """From now on with these secrets."""
        self._keys = [derive(secret.encode(), _PURPOSE) for secret in ring]

    def challenge(self) -> dict[str, Any]:
        """By the machine's own clock, as it is checked."""
        until = int(time.time()) + LIFETIME_S
        made = create_challenge(_ALGORITHM, _ITERATIONS, expires_at=until, hmac_secret=self._keys[0])
        return made.to_dict()

    def solved(self, text: str) -> str | None:
        """The name of the challenge that the text is a solution of; None when it is of none of ours, wrong,
        or too late."""
        try:
            payload = Payload.from_base64(text)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if any(verify_solution(payload, key).verified for key in self._keys):
            return payload.challenge.signature
        return None


def spend(session: Session, vault: Vault, name: str, now: datetime) -> bool:
    """False when it was spent before, by whatever process."""
    call = Call.of(_PURPOSE, "POST /join", name, b"")
    if idempotency.claim(session, vault, call, now) is not None:
        return False
    idempotency.answer(session, vault, call, now, Stored(202, ""))
    return True
