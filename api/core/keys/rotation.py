"""Rotate by overlap: a new key beside the old one, which goes on working until its grace period is over."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core import audit
from api.core.keys import queries, rules, token
from api.core.keys.rules import KeyState


def rotate(
    session: Session, integration_id: str, grace: timedelta, now: datetime, actor: str, forced: bool
) -> tuple[str, str]:
    """A new key: its id and its plaintext, which is never to be seen again.

    Every key that works until now ends with the grace period, or earlier if its end was set already.
    Raises `Refused` (grace out of range), `Conflict` (`rotation_in_progress`: an old key still works).
    Audited."""
    states = _hold(session, integration_id, now)
    rules.check_rotation(set(states.values()), grace, forced)
    queries.end_by(session, integration_id, now + grace)
    fresh = token.generate()
    queries.add(session, fresh.key_id, integration_id, fresh.secret_sha256, now, actor)
    said = {"key_id": fresh.key_id, "grace_seconds": int(grace.total_seconds()), "forced": forced}
    audit.record(session, actor, "keys.rotate", integration_id, now, said)
    return fresh.key_id, fresh.plaintext


def revoke(session: Session, integration_id: str, key_id: str, now: datetime, actor: str) -> None:
    """The old key ends now. Idempotent. Raises `NotFound`, `Conflict` (`key_is_current`). Audited."""
    rules.check_revocation(_hold(session, integration_id, now), key_id)
    queries.revoke(session, key_id, now)
    audit.record(session, actor, "keys.revoke", integration_id, now, {"key_id": key_id})


def end(session: Session, integration_id: str, now: datetime) -> None:
    """No key of the integration works any more: it is shut. Idempotent."""
    queries.hold(session, integration_id)
    queries.end_by(session, integration_id, now)


def _hold(session: Session, integration_id: str, now: datetime) -> dict[str, KeyState]:
    held = queries.hold(session, integration_id)
    return {key.id: rules.state(key.expires_at, key.revoked_at, now) for key in held}
