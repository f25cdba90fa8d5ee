"""What is decided about keys without a database: which work, which are on their way out, when one may go."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal

from api.core.errors import Conflict, NotFound, Refused

MAX_GRACE = timedelta(days=7)
DEFAULT_GRACE = timedelta(hours=24)

WORKING = frozenset({"current", "ending"})

KeyState = Literal["current", "ending", "expired", "revoked"]


def state(expires_at: datetime | None, revoked_at: datetime | None, now: datetime) -> KeyState:
    """`ending` works still, for the rest of its grace period."""
    if revoked_at is not None:
        return "revoked"
    if expires_at is None:
        return "current"
    return "ending" if now < expires_at else "expired"


def check_rotation(states: Collection[KeyState], grace: timedelta, forced: bool) -> None:
    """Raises `Refused` for a grace period that is not to be had, `Conflict` while an earlier one runs."""
    if not timedelta() <= grace <= MAX_GRACE:
        raise Refused("The grace period is not between 0 seconds and 7 days.", fix="Choose one that is.")
    if "ending" in states and not forced:
        raise Conflict(
            "A rotation is under way: the key before this one still works.",
            fix="Revoke the old key, wait for its end, or force the rotation.",
            code="rotation_in_progress",
        )


def check_revocation(states: Mapping[str, KeyState], key_id: str) -> None:
    """Raises `NotFound`, and `Conflict` for a key that nothing has taken the place of."""
    if key_id not in states:
        raise NotFound(f"There is no key {key_id!r}.", fix="Reload the list of keys.")
    if states[key_id] == "current":
        raise Conflict(
            "That key is the current one: without it the integration is cut off.",
            fix="Rotate it; a grace period of 0 seconds ends it at once.",
            code="key_is_current",
        )
