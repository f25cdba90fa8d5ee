"""SQL of rotations."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api.core.rotation.models import RotationRow, SecretReaderRow, SecretVersionRow


def hold_name(session: Session, name: str) -> None:
    """Until the transaction ends: of two that begin at once, the second sees what the first has done."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('rotations'), hashtext(:n))"), {"n": name})


def row(session: Session, rotation_id: str) -> RotationRow | None:
    return session.get(RotationRow, rotation_id, populate_existing=True)


def lock(session: Session, rotation_id: str) -> RotationRow | None:
    return session.get(RotationRow, rotation_id, with_for_update=True, populate_existing=True)


def running(session: Session, name: str | None = None) -> Sequence[RotationRow]:
    """Oldest first."""
    asked = select(RotationRow).where(RotationRow.state == "running").order_by(RotationRow.started_at)
    return session.scalars(asked.where(RotationRow.name == name) if name else asked).all()


def recent(session: Session, limit: int, name: str | None = None) -> Sequence[RotationRow]:
    """Newest first."""
    asked = select(RotationRow).order_by(RotationRow.started_at.desc(), RotationRow.id).limit(limit)
    return session.scalars(asked.where(RotationRow.name == name) if name else asked).all()


def forget_shown(session: Session, before: datetime) -> int:
    gone = session.scalars(
        update(RotationRow)
        .where(RotationRow.handover.is_not(None), RotationRow.handed_over_at < before)
        .values(handover=None)
        .returning(RotationRow.id)
    )
    return len(gone.all())


def to_pick_up(session: Session, name: str) -> Sequence[RotationRow]:
    """Newest first."""
    return session.scalars(
        select(RotationRow)
        .where(RotationRow.name == name, RotationRow.handover.is_not(None))
        .where(RotationRow.handed_over_at.is_(None), RotationRow.proven_at.is_not(None))
        .order_by(RotationRow.started_at.desc())
    ).all()


def versions(session: Session, name: str) -> Sequence[SecretVersionRow]:
    """Newest first."""
    return session.scalars(
        select(SecretVersionRow)
        .where(SecretVersionRow.name == name)
        .order_by(SecretVersionRow.version.desc())
        .execution_options(populate_existing=True)
    ).all()


def current_versions(session: Session) -> Sequence[SecretVersionRow]:
    return session.scalars(select(SecretVersionRow).where(SecretVersionRow.stage == "current")).all()


def pending_references(session: Session, kind: str) -> Sequence[str]:
    asked = select(SecretVersionRow.reference).where(SecretVersionRow.kind == kind)
    return session.scalars(asked.where(SecretVersionRow.stage == "pending")).all()


def put_version(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(SecretVersionRow).values(values).on_conflict_do_nothing())


def move(session: Session, name: str, version: int, **values: object) -> None:
    session.execute(
        update(SecretVersionRow)
        .where(SecretVersionRow.name == name, SecretVersionRow.version == version)
        .values(values)
    )


def retire_previous(session: Session, name: str, now: datetime) -> None:
    session.execute(
        update(SecretVersionRow)
        .where(SecretVersionRow.name == name, SecretVersionRow.stage == "previous")
        .values(stage="retired", retired_at=now)
    )


def note_reader(
    session: Session, process: str, service: str, rings: dict[str, list[str]], now: datetime
) -> None:
    fresh = insert(SecretReaderRow).values(process=process, service=service, rings=rings, seen_at=now)
    same = {"service": service, "rings": rings, "seen_at": now}
    session.execute(fresh.on_conflict_do_update(index_elements=["process"], set_=same))


def forget_reader(session: Session, process: str) -> None:
    session.execute(delete(SecretReaderRow).where(SecretReaderRow.process == process))


def readers(session: Session, since: datetime) -> Sequence[SecretReaderRow]:
    return session.scalars(
        select(SecretReaderRow)
        .where(SecretReaderRow.seen_at >= since)
        .order_by(SecretReaderRow.process)
        .execution_options(populate_existing=True)
    ).all()


def forget_readers(session: Session, before: datetime) -> None:
    session.execute(delete(SecretReaderRow).where(SecretReaderRow.seen_at < before))
