"""What becomes of an attempt to exchange an access code: a pure function of what is stored and `now`.

A code is good once, for the integration it was made for, until it expires, with the return URL and the PKCE
verifier (RFC 7636, S256) of its start. Using it again is taken for theft: the grant goes (RFC 6749, 4.1.2),
unless the request is the very same one, repeated because its answer was lost.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

REPLAY_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class GrantFacts:
    id: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """`used_for`: the grant that the code was exchanged for. `active`: the entry's, by whatever code."""

    integration_id: str
    entry_id: str
    entry_status: str
    user_id: str
    external_user_id: str
    return_url: str | None
    code_challenge: str | None
    expires_at: datetime
    used_at: datetime | None
    used_key: str | None
    used_for: GrantFacts | None
    active: GrantFacts | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """`key` says which request this is: its Idempotency-Key, or something that no other request has."""

    integration_id: str
    code_sha256: bytes
    return_url: str | None
    challenge: str | None
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """The code becomes used; `grant` is the entry's active one, None for a new one."""

    grant: GrantFacts | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The same answer as before."""

    grant: GrantFacts


@dataclass(frozen=True, slots=True)
class Deny:
    """`reason` is for the log only. `revokes`: the id of the grant that ends with it."""

    reason: str
    revokes: str | None = None


Verdict = Use | Replay | Deny


def attempt(
    integration_id: str,
    code: str,
    return_url: str | None,
    code_verifier: str | None,
    key: str,
    at: datetime,
) -> Attempt:
    challenge = s256(code_verifier) if code_verifier is not None else None
    return Attempt(integration_id, hashlib.sha256(code.encode()).digest(), return_url, challenge, key, at)


def s256(code_verifier: str) -> str:
    """The `code_challenge` of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def decide(code: CodeFacts | None, tried: Attempt) -> Verdict:
    if code is None:
        return Deny("no such code")
    if code.integration_id != tried.integration_id:
        return Deny("the code of another integration")
    mismatch = _mismatch(code, tried)
    if code.used_at is not None:
        return _again(code, code.used_at, tried, mismatch)
    if mismatch:
        return Deny(mismatch)
    if tried.at >= code.expires_at:
        return Deny("the code has expired")
    if code.entry_status != "accepted":
        return Deny("the entry is not accepted")
    return Use(code.active)


def _again(code: CodeFacts, used_at: datetime, tried: Attempt, mismatch: str) -> Verdict:
    grant = code.used_for
    same = code.used_key == tried.key and not mismatch and tried.at - used_at <= REPLAY_WINDOW
    if grant is None or grant.revoked_at is not None:
        return Deny("the code was used before, and its grant has ended")
    return Replay(grant) if same else Deny("the code was used before", revokes=grant.id)


def _mismatch(code: CodeFacts, tried: Attempt) -> str:
    """What the code is bound to and the attempt does not have; empty when all is as it should be."""
    if code.return_url is not None and code.return_url != tried.return_url:
        return "another return URL"
    if (code.code_challenge is None) != (tried.challenge is None):
        return "a verifier without a challenge, or none for one"
    if not hmac.compare_digest(code.code_challenge or "", tried.challenge or ""):
        return "the wrong verifier"
    return ""
