"""SQL of webhooks."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from api.core.webhooks.models import WebhookSecret
from api.db.engine import driver_connection

_VALID_OF_ALL = """
select id, integration_id, secret_cipher, last_used_at from webhook_secrets
where integration_id = any(%(integrations)s) and revoked_at is null
and (expires_at is null or expires_at > %(now)s)
order by created_at desc, id desc
"""


class ValidSecret(NamedTuple):
    """What signs, of an integration: asked for with every claim."""

    id: str
    integration_id: str
    secret_cipher: bytes
    last_used_at: datetime | None


def lock_secrets(session: Session, integration_id: str) -> None:
    """Until the transaction ends; also where there is no secret yet."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('webhook_secrets'), hashtext(:i))"), {"i": integration_id}
    )


def add_secret(
    session: Session, secret_id: str, integration_id: str, cipher: bytes, actor: str, now: datetime
) -> None:
    session.execute(
        insert(WebhookSecret).values(
            id=secret_id,
            integration_id=integration_id,
            secret_cipher=cipher,
            created_by=actor,
            created_at=now,
        )
    )


def secrets_of(session: Session, integration_id: str) -> Sequence[WebhookSecret]:
    """Newest first."""
    return session.scalars(_newest_first(integration_id)).all()


def valid_secrets(session: Session, integration_id: str, now: datetime) -> Sequence[WebhookSecret]:
    """Newest first."""
    return session.scalars(_newest_first(integration_id).where(_valid(now))).all()


def valid_secrets_of_all(
    session: Session, integration_ids: Sequence[str], now: datetime
) -> Sequence[ValidSecret]:
    """Newest first."""
    given = {"integrations": list(integration_ids), "now": now}
    rows = driver_connection(session).execute(_VALID_OF_ALL, given, binary=True)
    return [ValidSecret._make(row) for row in rows]


def expire_secrets(
    session: Session, integration_id: str, now: datetime, until: datetime, keep: str = ""
) -> None:
    """What is valid now, but `keep`, ends at `until`, or earlier where that was so."""
    session.execute(
        update(WebhookSecret)
        .where(WebhookSecret.integration_id == integration_id, _valid(now), WebhookSecret.id != keep)
        .values(expires_at=func.least(WebhookSecret.expires_at, until))
    )


def revoke_secret(session: Session, secret_id: str, now: datetime) -> None:
    session.execute(
        update(WebhookSecret)
        .where(WebhookSecret.id == secret_id, WebhookSecret.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def endless_secret(session: Session, secret_id: str) -> None:
    session.execute(
        update(WebhookSecret)
        .where(WebhookSecret.id == secret_id, WebhookSecret.revoked_at.is_(None))
        .values(expires_at=None)
    )


def current_secrets(
    session: Session, integration_id: str | None, besides: Collection[str]
) -> Sequence[WebhookSecret]:
    """The newest valid secret without an end of each integration, of those that are not `besides`."""
    asked = (
        select(WebhookSecret)
        .distinct(WebhookSecret.integration_id)
        .where(WebhookSecret.revoked_at.is_(None), WebhookSecret.expires_at.is_(None))
        .where(WebhookSecret.id.not_in(besides))
        .order_by(WebhookSecret.integration_id, WebhookSecret.created_at.desc(), WebhookSecret.id.desc())
    )
    return session.scalars(
        asked.where(WebhookSecret.integration_id == integration_id) if integration_id else asked
    ).all()


def touch_secrets(session: Session, secret_ids: Sequence[str], now: datetime, every: timedelta) -> None:
    """Remember the use, at most once per `every`."""
    stale = or_(WebhookSecret.last_used_at.is_(None), WebhookSecret.last_used_at < now - every)
    session.execute(
        update(WebhookSecret).where(WebhookSecret.id.in_(secret_ids), stale).values(last_used_at=now)
    )


def _newest_first(integration_id: str) -> Select[tuple[WebhookSecret]]:
    return (
        select(WebhookSecret)
        .where(WebhookSecret.integration_id == integration_id)
        .order_by(WebhookSecret.created_at.desc(), WebhookSecret.id.desc())
    )


def _valid(now: datetime) -> ColumnElement[bool]:
    return WebhookSecret.revoked_at.is_(None) & or_(
        WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now
    )
