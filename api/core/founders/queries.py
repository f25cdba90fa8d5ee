"""SQL of founders, login codes and sessions."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, delete, func, insert, select, update
from sqlalchemy.orm import Session

from api.core.founders.limits import Counted
from api.core.founders.models import Founder, FounderSession, LoginCode
from api.core.founders.otp import MAX_TRIES


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


def one_at_a_time(session: Session, what: bytes) -> None:
    """Until the end of the transaction nobody else passes here with the same `what`."""
    key = int.from_bytes(hashlib.sha256(what).digest()[:8], signed=True)
    session.execute(select(func.pg_advisory_xact_lock(key)))


def count(
    session: Session,
    identifier_indexes: Sequence[bytes],
    network_indexes: Sequence[bytes],
    hour: datetime,
    day: datetime,
) -> Counted:
    """What happened after `hour` and after `day`, in one statement."""
    asked = select(func.count()).select_from(LoginCode)
    codes = asked.where(LoginCode.identifier_index.in_(identifier_indexes), LoginCode.created_at > hour)
    of_network = asked.where(LoginCode.ip_index.in_(network_indexes), LoginCode.created_at > hour)
    sms = asked.where(LoginCode.channel == "sms", LoginCode.created_at > day)
    row = session.execute(
        select(
            codes.scalar_subquery(),
            of_network.scalar_subquery(),
            sms.scalar_subquery(),
            _wrong_tries(identifier_indexes, day),
        )
    ).one()
    return Counted(*row)


def wrong_tries(session: Session, identifier_index: bytes, day: datetime) -> int:
    return session.scalar(select(_wrong_tries([identifier_index], day))) or 0


def _wrong_tries(identifier_indexes: Sequence[bytes], day: datetime) -> ScalarSelect[int]:
    """Guesses at codes that were asked for after `day`; what follows the last try of a code is no guess."""
    guesses = func.least(LoginCode.tries, MAX_TRIES)
    return (
        select(func.coalesce(func.sum(guesses) - func.count(LoginCode.used_at), 0))
        .where(LoginCode.identifier_index.in_(identifier_indexes), LoginCode.created_at > day)
        .scalar_subquery()
    )


def add_code(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(LoginCode).values(**values))


def supersede_codes(session: Session, browser_id: str, now: datetime) -> None:
    """The browser's earlier codes end: also where the clock stands still, the next one is the newest."""
    session.execute(
        update(LoginCode)
        .where(LoginCode.browser_id == browser_id, LoginCode.expires_at > now)
        .values(expires_at=now)
    )


def newest_code(session: Session, browser_id: str) -> LoginCode | None:
    """Locked, so that of two requests with the same code only one can use it."""
    return session.scalar(
        select(LoginCode)
        .where(LoginCode.browser_id == browser_id)
        .order_by(LoginCode.created_at.desc(), LoginCode.expires_at.desc())
        .limit(1)
        .with_for_update()
    )


def count_try(session: Session, code_id: str) -> None:
    session.execute(update(LoginCode).where(LoginCode.id == code_id).values(tries=LoginCode.tries + 1))


def delete_codes(session: Session, before: datetime) -> int:
    return len(
        session.execute(delete(LoginCode).where(LoginCode.created_at < before).returning(LoginCode.id)).all()
    )


def sent_code(session: Session, code_id: str, now: datetime) -> None:
    session.execute(update(LoginCode).where(LoginCode.id == code_id).values(sent_at=now))


def use_code(session: Session, code_id: str, now: datetime) -> None:
    session.execute(update(LoginCode).where(LoginCode.id == code_id).values(used_at=now))


def add_session(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(FounderSession).values(**values))


def session_by_hash(session: Session, id_hash: bytes) -> FounderSession | None:
    return session.get(FounderSession, id_hash)


def session_by_id(session: Session, founder_id: str, session_id: str) -> FounderSession | None:
    return session.scalar(
        select(FounderSession).where(FounderSession.id == session_id, FounderSession.founder_id == founder_id)
    )


def sessions_of(session: Session, founder_id: str) -> Sequence[FounderSession]:
    """Those that nobody has ended, the one used last first."""
    return session.scalars(
        select(FounderSession)
        .where(FounderSession.founder_id == founder_id, FounderSession.revoked_at.is_(None))
        .order_by(FounderSession.last_seen_at.desc(), FounderSession.id)
    ).all()


def revoke_sessions_of(session: Session, founder_id: str, now: datetime) -> int:
    done = session.execute(
        update(FounderSession)
        .where(FounderSession.founder_id == founder_id, FounderSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(FounderSession.id)
    )
    return len(done.all())


def touch_session(session: Session, id_hash: bytes, now: datetime) -> None:
    session.execute(update(FounderSession).where(FounderSession.id_hash == id_hash).values(last_seen_at=now))


def revoke_session(session: Session, id_hash: bytes, now: datetime) -> None:
    session.execute(
        update(FounderSession)
        .where(FounderSession.id_hash == id_hash, FounderSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
