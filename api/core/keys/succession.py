"""One key after another, in the steps of a rotation: the new one works beside the old ones, these end, or the
new one goes again.

A witness is a second key with the old ones' end. Nobody holds it but the rotation, which has to see that a
key which ended is refused, and knows the old ones by their hash only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core import audit
from api.core.keys import queries, token
from api.core.keys.token import Token


@dataclass(frozen=True, slots=True)
class Successor:
    key: Token
    witness: Token


@dataclass(frozen=True, slots=True)
class CurrentKey:
    """The newest key of an integration that works and has no end, and when any was last used."""

    integration_id: str
    id: str
    created_at: datetime
    created_by: str | None
    last_used_at: datetime | None


def add(session: Session, integration_id: str, now: datetime, actor: str) -> Successor:
    """The new key, working from now on. Audited."""
    queries.hold(session, integration_id)
    made = Successor(token.generate(), token.generate())
    # the witness first: whoever is told of a new key is told of the last one
    for one, witness in ((made.witness, True), (made.key, False)):
        queries.add(session, one.key_id, integration_id, one.secret_sha256, now, actor, witness=witness)
    audit.record(session, actor, "keys.rotate", integration_id, now, {"key_id": made.key.key_id})
    return made


def end_others(session: Session, integration_id: str, key_id: str, until: datetime) -> None:
    """No other key works after `until`; an end that was set earlier stays."""
    queries.hold(session, integration_id)
    queries.end_by(session, integration_id, until, keep=key_id)


def revoke_others(session: Session, integration_id: str, key_id: str, now: datetime, actor: str) -> None:
    """Those whose time has not run out by itself. Audited."""
    revoked = queries.revoke_working(session, integration_id, key_id, now)
    for one in revoked:
        audit.record(session, actor, "keys.revoke", integration_id, now, {"key_id": one})


def withdraw(
    session: Session, integration_id: str, key_ids: Sequence[str], kept: str, now: datetime, actor: str
) -> None:
    """`key_ids` end now, and `kept` has no end any more. Audited."""
    queries.hold(session, integration_id)
    for one in key_ids:
        queries.revoke(session, one, now)
    queries.endless(session, kept)
    said = {"key_ids": list(key_ids), "kept": kept}
    audit.record(session, actor, "keys.withdraw", integration_id, now, said)


def current(
    session: Session, integration_id: str | None = None, besides: Collection[str] = ()
) -> list[CurrentKey]:
    """Of every integration, or of one; keys `besides` are nobody's yet."""
    return [
        CurrentKey(key.integration_id, key.id, key.created_at, key.created_by, key.last_used_at)
        for key in queries.current(session, integration_id, besides)
    ]


def last_use(session: Session, integration_id: str, key_id: str) -> tuple[datetime | None, datetime | None]:
    """(of `key_id`, of all others); None for never."""
    return queries.last_uses(session, integration_id, key_id)
