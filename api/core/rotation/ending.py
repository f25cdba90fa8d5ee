"""How an old version ends before its time, why it cannot end yet, and the way back to it. Each function is
one transaction's worth; the caller commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.errors import Conflict
from api.core.rotation import queries, service, steps
from api.core.rotation.kinds import Kind, Proof
from api.core.rotation.ledger import note
from api.core.rotation.records import RotationView, view
from api.core.rotation.steps import State, Step, Wait


def end_overlap(session: Session, kind: Kind, rotation_id: str, by: str, now: datetime) -> RotationView:
    """Somebody says that the old one is not needed any more; whether backups need it is looked at again.
    Raises `Conflict` outside of the overlap."""
    row = service.locked(session, rotation_id)
    if row.state != State.RUNNING.value or row.step != Step.RETIRE.value or row.overlap_until is None:
        raise Conflict(
            f"Rotation {rotation_id} is not in its overlap: it is {view(row).phase(now)}.",
            fix="`firstuser rotate status` shows what it waits for.",
        )
    if row.overlap_until > now:
        kind.overlap(session, row, now)
        row.overlap_until = now
        row.detail = {**row.detail, "ended_by": by}
        note(session, row, Step.RETIRE, [], now, "rotation.ended_early")
    row.detail = {key: value for key, value in row.detail.items() if key != "kept_until"}
    session.flush()
    return view(row)


def check_not_kept(found: RotationView, now: datetime) -> None:
    """Raises `Conflict` (`old_one_needed`), which says when it may be retired."""
    if found.waits(now) is not Wait.KEPT:
        return
    freed, until = datetime.fromisoformat(found.detail["freed_at"]), found.kept_until
    raise Conflict(
        f"Version {found.from_version} of {found.name} cannot be retired before {until:%Y-%m-%d %H:%M} UTC:"
        f" backups of before {freed:%Y-%m-%d %H:%M} UTC can be restored, and only it opens what they hold."
        " Nothing is sealed with it any more.",
        fix="There is nothing to do: the hourly flow retires it when no such backup is left.",
        code="old_one_needed",
    )


def keep_old(session: Session, rotation_id: str, freed_at: datetime, until: datetime) -> None:
    """See `archive.kept_until`: it stays, as one that only reads."""
    facts = {"freed_at": freed_at.isoformat(), "kept_until": until.isoformat()}
    service.remember(session, rotation_id, facts)


def check_roll_back(session: Session, rotation_id: str, now: datetime) -> RotationView:
    """Raises `Conflict` once the old one has ended."""
    found = service.get(session, rotation_id)
    if found.state is State.ROLLED_BACK or steps.may_roll_back(found.standing, now):
        return found
    raise Conflict(
        f"Rotation {rotation_id} cannot be rolled back any more: the old one has ended.",
        fix="Rotate again: the version that works now stays until the next one is proven.",
    )


def roll_back(
    session: Session, kind: Kind, rotation_id: str, by: str, proofs: Sequence[Proof], now: datetime
) -> RotationView:
    row = service.locked(session, rotation_id)
    if row.state == State.ROLLED_BACK.value:
        return view(row)
    check_roll_back(session, rotation_id, now)
    kind.rolled_back(session, row, now)
    queries.move(session, row.name, row.to_version, stage="retired", retired_at=now)
    queries.move(session, row.name, row.from_version, stage="current")
    row.state, row.ended_at, row.handover, row.witness = State.ROLLED_BACK.value, now, None, None
    row.detail = {**row.detail, "rolled_back_by": by}
    note(session, row, Step(row.step), proofs, now, "rotation.rolled_back")
    session.flush()
    return view(row)
