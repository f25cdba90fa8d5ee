"""SQL of idempotency keys."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api.core.idempotency.models import IdempotencyKey

Name = tuple[str, str, str]
"""caller, operation, key"""


def claim(
    session: Session, name: Name, body_sha256: bytes, now: datetime, expired: datetime, abandoned: datetime
) -> bool:
    """True when the key is ours now: new, older than `expired`, or unanswered since before `abandoned`."""
    caller, operation, key = name
    fresh = insert(IdempotencyKey).values(
        caller=caller, operation=operation, key=key, body_sha256=body_sha256, created_at=now
    )
    left_behind = and_(
        IdempotencyKey.status.is_(None),
        IdempotencyKey.created_at <= abandoned,
        IdempotencyKey.body_sha256 == body_sha256,
    )
    claimed = session.execute(
        fresh.on_conflict_do_update(
            index_elements=["caller", "operation", "key"],
            set_={
                "body_sha256": fresh.excluded.body_sha256,
                "created_at": fresh.excluded.created_at,
                "status": None,
                "response_cipher": None,
            },
            where=or_(IdempotencyKey.created_at <= expired, left_behind),
        ).returning(IdempotencyKey.key)
    )
    return claimed.first() is not None


def found(session: Session, name: Name) -> IdempotencyKey | None:
    return session.scalar(select(IdempotencyKey).where(_is(name)))


def answer(session: Session, name: Name, claimed_at: datetime, status: int, response_cipher: bytes) -> bool:
    """False when another one has taken the key over since `claimed_at`."""
    written = session.execute(
        update(IdempotencyKey)
        .where(_is(name), IdempotencyKey.created_at == claimed_at, IdempotencyKey.status.is_(None))
        .values(status=status, response_cipher=response_cipher)
        .returning(IdempotencyKey.key)
    )
    return written.first() is not None


def release(session: Session, name: Name, claimed_at: datetime) -> None:
    session.execute(
        delete(IdempotencyKey).where(
            _is(name), IdempotencyKey.created_at == claimed_at, IdempotencyKey.status.is_(None)
        )
    )


def forget(session: Session, before: datetime) -> int:
    gone = session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.created_at <= before).returning(IdempotencyKey.key)
    )
    return len(gone.all())


def _is(name: Name) -> ColumnElement[bool]:
    return and_(
        IdempotencyKey.caller == name[0], IdempotencyKey.operation == name[1], IdempotencyKey.key == name[2]
    )
