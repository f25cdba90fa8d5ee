"""Signing secrets of an integration: sealed at rest, several valid at once while a rotation is under way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from api.core import audit
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound, Refused
from api.core.ids import new_id
from api.core.webhooks import queries, signing

MAX_GRACE = timedelta(days=7)
SecretState = Literal["current", "ending", "expired", "revoked"]
_TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SecretView:
    id: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def state(self, now: datetime) -> SecretState:
        """`ending` is valid still, for the rest of its grace period."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "current"
        return "ending" if now < self.expires_at else "expired"

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def rotate(
    session: Session,
    vault: Vault,
    integration_id: str,
    grace: timedelta,
    now: datetime,
    actor: str,
    forced: bool = False,
) -> tuple[str, str]:
    """A new secret: its id and its plaintext, which is never shown again. The old one is valid until
    `now + grace`. Raises `Conflict` (`rotation_in_progress`) while an earlier rotation's grace runs, unless
    `forced`: then nothing outlives the new grace. Audited."""
    if not timedelta(0) <= grace <= MAX_GRACE:
        raise Refused("The grace is longer than 7 days, or negative.", fix="Choose 0 to 604800 seconds.")
    queries.lock_secrets(session, integration_id)
    ending = [
        one for one in queries.valid_secrets(session, integration_id, now) if one.expires_at is not None
    ]
    if ending and not forced:
        raise Conflict(
            f"A rotation is under way: the old secret works until {ending[0].expires_at:%Y-%m-%d %H:%M} UTC.",
            fix="Wait for it, or force the rotation.",
            code="rotation_in_progress",
        )
    queries.expire_secrets(session, integration_id, now, now + grace)
    secret_id, plaintext = new_id("whs"), signing.generate()
    queries.add_secret(session, secret_id, integration_id, vault.seal(plaintext, secret_id), actor, now)
    said = {"secret_id": secret_id, "grace_seconds": int(grace.total_seconds()), "forced": forced}
    audit.record(session, actor, "webhook_secrets.rotate", integration_id, now, said)
    return secret_id, plaintext


def revoke(session: Session, integration_id: str, secret_id: str, now: datetime, actor: str) -> None:
    """The old secret signs nothing from now on. Idempotent. Raises `NotFound`, and `Conflict`
    (`key_is_current`) for the one that nothing has taken the place of. Audited."""
    queries.lock_secrets(session, integration_id)
    found = next((one for one in of_integration(session, integration_id) if one.id == secret_id), None)
    if found is None:
        raise NotFound(f"There is no secret {secret_id!r}.", fix="Reload the list of secrets.")
    if found.state(now) == "current":
        raise Conflict(
            "That secret is the current one: without it nothing is signed.",
            fix="Rotate it; a grace period of 0 seconds ends it at once.",
            code="key_is_current",
        )
    queries.revoke_secret(session, secret_id, now)
    audit.record(session, actor, "webhook_secrets.revoke", integration_id, now, {"secret_id": secret_id})


def end(session: Session, integration_id: str, now: datetime) -> None:
    """No secret of the integration signs any more: it is shut. Idempotent."""
    queries.lock_secrets(session, integration_id)
    queries.expire_secrets(session, integration_id, now, now)


def of_integration(session: Session, integration_id: str) -> list[SecretView]:
    """Newest first, without the secret."""
    return [
        SecretView(one.id, one.created_at, one.expires_at, one.revoked_at, one.last_used_at)
        for one in queries.secrets_of(session, integration_id)
    ]


def valid(
    session: Session, vault: Vault, integration_id: str, now: datetime, fallback: Iterable[str] | None = None
) -> list[str]:
    """What to sign with now, newest first, noted as used; `fallback` only where the integration has none."""
    return valid_of_all(session, vault, [integration_id], now, fallback)[integration_id]


def valid_of_all(
    session: Session,
    vault: Vault,
    integration_ids: Sequence[str],
    now: datetime,
    fallback: Iterable[str] | None = None,
) -> dict[str, list[str]]:
    """The same of many integrations."""
    found = queries.valid_secrets_of_all(session, integration_ids, now) if integration_ids else []
    stale = [one.id for one in found if one.last_used_at is None or one.last_used_at < now - _TOUCH_EVERY]
    if stale:
        queries.touch_secrets(session, stale, now, _TOUCH_EVERY)
    keys: dict[str, list[str]] = {integration_id: [] for integration_id in integration_ids}
    for one in found:
        keys[one.integration_id].append(vault.open(one.secret_cipher, one.id))
    return {integration_id: own or list(fallback or ()) for integration_id, own in keys.items()}
