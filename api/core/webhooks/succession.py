"""One signing secret after another, in the steps of a rotation: the new one signs beside the old ones, these
end, or the new one goes again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core import audit
from api.core.crypto import Vault
from api.core.ids import new_id
from api.core.webhooks import queries, signing


@dataclass(frozen=True, slots=True)
class CurrentSecret:
    integration_id: str
    id: str
    created_at: datetime
    created_by: str | None
    last_used_at: datetime | None


def add(session: Session, vault: Vault, integration_id: str, now: datetime, actor: str) -> tuple[str, str]:
    """(id, plaintext); webhooks are signed with it from now on, and with the old ones, too. Audited."""
    queries.lock_secrets(session, integration_id)
    secret_id, plaintext = new_id("whs"), signing.generate()
    queries.add_secret(session, secret_id, integration_id, vault.seal(plaintext, secret_id), actor, now)
    audit.record(session, actor, "webhook_secrets.rotate", integration_id, now, {"secret_id": secret_id})
    return secret_id, plaintext


def end_others(session: Session, integration_id: str, secret_id: str, now: datetime, until: datetime) -> None:
    """No other secret is valid after `until`; an end that was set earlier stays."""
    queries.lock_secrets(session, integration_id)
    queries.expire_secrets(session, integration_id, now, until, keep=secret_id)


def revoke_others(session: Session, integration_id: str, secret_id: str, now: datetime, actor: str) -> None:
    """Those whose time has not run out by itself. Audited."""
    queries.lock_secrets(session, integration_id)
    for one in queries.valid_secrets(session, integration_id, now):
        if one.id != secret_id:
            queries.revoke_secret(session, one.id, now)
            audit.record(session, actor, "webhook_secrets.revoke", integration_id, now, {"secret_id": one.id})


def withdraw(
    session: Session, integration_id: str, secret_id: str, kept: str, now: datetime, actor: str
) -> None:
    """`secret_id` ends now, and `kept` has no end any more. Audited."""
    queries.lock_secrets(session, integration_id)
    queries.revoke_secret(session, secret_id, now)
    queries.endless_secret(session, kept)
    said = {"secret_id": secret_id, "kept": kept}
    audit.record(session, actor, "webhook_secrets.withdraw", integration_id, now, said)


def current(
    session: Session, integration_id: str | None = None, besides: Collection[str] = ()
) -> list[CurrentSecret]:
    """Of every integration that has one of its own, or of one: the newest without an end. Those `besides` are
    nobody's yet."""
    return [
        CurrentSecret(one.integration_id, one.id, one.created_at, one.created_by, one.last_used_at)
        for one in queries.current_secrets(session, integration_id, besides)
    ]


def opened(session: Session, vault: Vault, integration_id: str, secret_id: str) -> str | None:
    """The plaintext, whatever its state; None when there is no such secret."""
    rows = queries.secrets_of(session, integration_id)
    found = next((one for one in rows if one.id == secret_id), None)
    return vault.open(found.secret_cipher, found.id) if found else None
