"""SQL of drills. Functions take the session first and never commit."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from api.core.drills.models import BeaconRow, Drill, FingerprintRow
from api.core.drills.records import DrillStatus


def recent(session: Session, limit: int) -> Sequence[Drill]:
    return session.scalars(select(Drill).order_by(Drill.started_at.desc()).limit(limit)).all()


def since(session: Session, moment: datetime) -> Sequence[Drill]:
    return session.scalars(
        select(Drill).where(Drill.started_at >= moment).order_by(Drill.started_at.desc())
    ).all()


def by_flow_run(session: Session, flow_run_id: str) -> Drill | None:
    return session.scalars(
        select(Drill).where(Drill.flow_run_id == flow_run_id).order_by(Drill.started_at.desc()).limit(1)
    ).first()


def last_passed(session: Session) -> Drill | None:
    return session.scalars(
        select(Drill)
        .where(Drill.status == DrillStatus.PASSED.value)
        .order_by(Drill.finished_at.desc())
        .limit(1)
    ).first()


def to_undo(session: Session, now: datetime) -> Sequence[Drill]:
    """Drills that left something behind: staging pointing away, a copy past its time, or an open row.

    The caller holds the drill lock, so a row that is still running has lost its process.
    """
    pointing = Drill.staging_home.is_not(None) & Drill.staging_restored_at.is_(None)
    copy = Drill.database_name.is_not(None) & Drill.database_destroyed_at.is_(None)
    due = or_(Drill.keep_until.is_(None), Drill.keep_until <= now, Drill.status == DrillStatus.RUNNING.value)
    return session.scalars(
        select(Drill)
        .where(or_(pointing, copy & due, Drill.status == DrillStatus.RUNNING.value))
        .order_by(Drill.started_at)
    ).all()


def beacons_between(session: Session, since: datetime, until: datetime, limit: int) -> Sequence[BeaconRow]:
    """Newest first."""
    return session.scalars(
        select(BeaconRow)
        .where(BeaconRow.at >= since, BeaconRow.at <= until)
        .order_by(BeaconRow.at.desc())
        .limit(limit)
    ).all()


def beacon_times(session: Session, after: int, until: datetime) -> Sequence[datetime]:
    """Of those written after the beacon with the number `after`, in the order of writing: a clock may have
    been set meanwhile."""
    last = select(func.max(BeaconRow.id)).where(BeaconRow.at <= until).scalar_subquery()
    return session.scalars(
        select(BeaconRow.at).where(BeaconRow.id > after, BeaconRow.id <= last).order_by(BeaconRow.id)
    ).all()


def clock_set_back(session: Session, since: int) -> tuple[datetime, datetime] | None:
    """(from, to) of the first time that beacons from number `since` on went back in time."""
    before = func.lag(BeaconRow.at).over(order_by=BeaconRow.id).label("before")
    steps = select(BeaconRow.id, BeaconRow.at, before).where(BeaconRow.id >= since).subquery()
    found = session.execute(
        select(steps.c.before, steps.c.at).where(steps.c.at < steps.c.before).order_by(steps.c.id).limit(1)
    ).first()
    return (found.before, found.at) if found else None


def last_written(session: Session) -> BeaconRow | None:
    return session.scalars(select(BeaconRow).order_by(BeaconRow.id.desc()).limit(1)).first()


def clock(session: Session) -> datetime:
    """The database's own."""
    return session.scalars(select(func.clock_timestamp())).one()


def first_beacon_after(session: Session, moment: datetime) -> BeaconRow | None:
    return session.scalars(
        select(BeaconRow).where(BeaconRow.at > moment).order_by(BeaconRow.at).limit(1)
    ).first()


def newest_beacon(session: Session) -> BeaconRow | None:
    return session.scalars(select(BeaconRow).order_by(BeaconRow.at.desc()).limit(1)).first()


def fingerprint_before(session: Session, moment: datetime) -> FingerprintRow | None:
    return session.scalars(
        select(FingerprintRow).where(FingerprintRow.at <= moment).order_by(FingerprintRow.at.desc()).limit(1)
    ).first()


def newest_fingerprint(session: Session) -> FingerprintRow | None:
    return session.scalars(select(FingerprintRow).order_by(FingerprintRow.id.desc()).limit(1)).first()


def delete_beacons_before(session: Session, moment: datetime) -> None:
    session.execute(delete(BeaconRow).where(BeaconRow.at < moment))
    session.execute(delete(FingerprintRow).where(FingerprintRow.at < moment))
