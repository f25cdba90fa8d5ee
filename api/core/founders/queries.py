"""SQL of founders, login codes and sessions."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from api.core.founders.models import Founder, FounderSession, LoginCode


def founder(session: Session, founder_id: str) -> Founder | None:
    return session.get(Founder, founder_id)


def by_index(session: Session, indexes: Sequence[bytes]) -> Founder | None:
    """By the blind index of the phone or of the e-mail."""
    return session.scalar(
        select(Founder).where(Founder.phone_index.in_(indexes) | Founder.email_index.in_(indexes))
    )


def names(session: Session, founder_ids: Sequence[str]) -> dict[str, str]:
    rows = session.execute(select(Founder.id, Founder.name).where(Founder.id.in_(founder_ids)))
    return {row[0]: row[1] for row in rows}


def codes_since(session: Session, identifier_indexes: Sequence[bytes], since: datetime) -> int:
    query = select(func.count()).where(
        LoginCode.identifier_index.in_(identifier_indexes), LoginCode.created_at > since
    )
    return session.scalar(query) or 0


def add_code(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(LoginCode).values(**values))


def newest_code(session: Session, browser_id: str) -> LoginCode | None:
    """Locked, so that of two requests with the same code only one can use it."""
    return session.scalar(
        select(LoginCode)
        .where(LoginCode.browser_id == browser_id)
        .order_by(LoginCode.created_at.desc(), LoginCode.id.desc())
        .limit(1)
        .with_for_update()
    )


def count_try(session: Session, code_id: str) -> None:
    session.execute(update(LoginCode).where(LoginCode.id == code_id).values(tries=LoginCode.tries + 1))


def use_code(session: Session, code_id: str, now: datetime) -> None:
    session.execute(update(LoginCode).where(LoginCode.id == code_id).values(used_at=now))


def add_session(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(FounderSession).values(**values))


def session_by_hash(session: Session, id_hash: bytes) -> FounderSession | None:
    return session.get(FounderSession, id_hash)


def touch_session(session: Session, id_hash: bytes, now: datetime) -> None:
    session.execute(update(FounderSession).where(FounderSession.id_hash == id_hash).values(last_seen_at=now))


def revoke_session(session: Session, id_hash: bytes, now: datetime) -> None:
    session.execute(
        update(FounderSession)
        .where(FounderSession.id_hash == id_hash, FounderSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
