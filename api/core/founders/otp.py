"""Rules of login codes: six digits, five minutes, five tries, one use, one browser."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

CODE_TTL = timedelta(minutes=5)
MAX_TRIES = 5

Verdict = Literal["valid", "no_code", "used", "expired", "too_many_tries", "locked", "wrong"]


@dataclass(frozen=True, slots=True)
class CodeState:
    """What is known of the newest code that was sent to this browser."""

    founder_id: str | None
    tries: int
    locked: bool  # too many wrong tries at this person, by whatever browser
    used: bool
    expires_at: datetime


def generate() -> str:
    return f"{secrets.randbelow(1_000_000):06d}"


def signed_text(code_id: str, code: str) -> str:
    """What the stored HMAC is over: a code is worth nothing outside its own row."""
    return f"{code_id}:{code}"


def judge(state: CodeState | None, matches: bool, now: datetime) -> Verdict:
    """The reason is for the log only: whoever types a code learns whether it was right, and no more."""
    if state is None:
        return "no_code"
    if state.used:
        return "used"
    if now >= state.expires_at:
        return "expired"
    if state.tries >= MAX_TRIES:
        return "too_many_tries"
    if state.locked:
        return "locked"
    return "valid" if matches and state.founder_id else "wrong"
