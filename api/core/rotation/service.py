"""The life of a rotation in `ops.rotations`. Each function is one transaction's worth; the caller commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.errors import Conflict, NotFound
from api.core.rotation import queries, steps
from api.core.rotation.kinds import Kind, Proof
from api.core.rotation.ledger import note
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView, VersionView, version_view, view
from api.core.rotation.steps import Mode, State, Step, Wait


def settle(
    session: Session, kind: Kind, found: RotationView, proofs: Sequence[Proof], now: datetime
) -> RotationView:
    """What the step `found.step` means in the database, once its act is done. Whoever comes second changes
    nothing."""
    row = queries.lock(session, found.id)
    if row is None or row.state != State.RUNNING.value or row.step != found.step.value:
        return get(session, found.id)
    if found.step is Step.OVERLAP and row.told_at is None:
        row.told_at = now
        note(session, row, Step.OVERLAP, proofs, now, "rotation.told")
    elif any(proof.blocks for proof in proofs):
        row.problem = "; ".join(f"{one.name}: {one.observed}" for one in proofs if one.blocks)
        note(session, row, found.step, proofs, now, "rotation.not_proven")
    elif view(row).waits(now) is Wait.KEPT:
        row.problem = ""
        note(session, row, found.step, proofs, now, "rotation.kept")
    else:
        _enter[found.step](session, kind, row, now)
        advance(session, row, found.step, proofs, now)
    session.flush()
    return view(row)


def advance(session: Session, row: RotationRow, step: Step, proofs: Sequence[Proof], now: datetime) -> None:
    following = steps.after(step)
    row.problem = ""
    if following is None:
        row.state, row.ended_at, row.witness = State.DONE.value, now, None
    else:
        row.step = following.value
    row.step_at = now
    note(session, row, step, proofs, now, f"rotation.{step.value}")


def _overlap(session: Session, kind: Kind, row: RotationRow, now: datetime) -> None:
    until = steps.overlap_until(Mode(row.mode), timedelta(seconds=row.grace_seconds), now)
    kind.overlap(session, row, until)
    row.overlap_until = until
    queries.retire_previous(session, row.name, now)
    queries.move(session, row.name, row.from_version, stage="previous")
    queries.move(session, row.name, row.to_version, stage="current", current_at=now)


def _prove(session: Session, kind: Kind, row: RotationRow, now: datetime) -> None:
    row.proven_at = now


def _retire(session: Session, kind: Kind, row: RotationRow, now: datetime) -> None:
    kind.retired(session, row, now)
    row.retired_at = now
    if row.handed_over_at is not None:
        row.handover = None
    queries.retire_previous(session, row.name, now)


def _nothing(session: Session, kind: Kind, row: RotationRow, now: datetime) -> None:
    """The step's act was all of it."""


_enter = {
    Step.STORE: _nothing,
    Step.RELOAD: _nothing,
    Step.PROVE: _prove,
    Step.OVERLAP: _overlap,
    Step.RETIRE: _retire,
    Step.REFUSE: _nothing,
}


def hand_over(session: Session, rotation_id: str, by: str, now: datetime) -> RotationView:
    """Somebody sees the new value now; the view holds it sealed. An answer that got lost may be asked for
    again by the same person within `SHOWN_AGAIN`. Raises `Conflict`."""
    row = locked(session, rotation_id)
    shown_to = row.detail.get("handed_to")
    if row.handover is None or not steps.may_be_shown(row.handed_over_at, shown_to == by, now):
        raise Conflict("The new one was shown already, and is shown once.", fix="Rotate again.")
    if row.proven_at is None:
        raise Conflict(
            f"The new one is not proven yet: {row.problem or 'its steps are not done'}",
            fix="What works now goes on working; run the rotation again.",
            code="rotation_not_proven",
        )
    if row.handed_over_at is None:
        row.handed_over_at = now
        row.detail = {**row.detail, "handed_to": by}
        note(session, row, Step.OVERLAP, [], now, "rotation.handed_over")
    session.flush()
    return view(row)


def forget_shown(session: Session, now: datetime) -> int:
    """Sealed values that somebody has seen go."""
    return queries.forget_shown(session, now - steps.SHOWN_AGAIN)


def trouble(session: Session, rotation_id: str, problem: str) -> None:
    """Why the step could not be taken, for whoever looks; the next run tries it again."""
    row = queries.lock(session, rotation_id)
    if row is not None and row.state == State.RUNNING.value:
        row.problem = problem


def get(session: Session, rotation_id: str) -> RotationView:
    """Raises `NotFound`."""
    return view(_known(queries.row(session, rotation_id), rotation_id))


def recent(session: Session, limit: int, name: str | None = None) -> list[RotationView]:
    """Newest first."""
    return [view(row) for row in queries.recent(session, limit, name)]


def running(session: Session, name: str | None = None) -> list[RotationView]:
    """Oldest first."""
    return [view(row) for row in queries.running(session, name)]


def to_pick_up(session: Session, name: str) -> RotationView | None:
    """The rotation whose new value waits for somebody to look at it."""
    return next((view(row) for row in queries.to_pick_up(session, name)), None)


def versions(session: Session, name: str) -> list[VersionView]:
    """Newest first."""
    return [version_view(row) for row in queries.versions(session, name)]


def refer(session: Session, name: str, version: int, reference: str) -> None:
    """By what the version is known elsewhere, once there is something to know it by."""
    queries.move(session, name, version, reference=reference)


def keep_witness(session: Session, rotation_id: str, sealed: bytes) -> None:
    locked(session, rotation_id).witness = sealed


def tried(session: Session, rotation_id: str, proof: Proof, by: str, now: datetime) -> RotationView:
    """Somebody had something tried in the overlap. Changes nothing but what is known."""
    row = locked(session, rotation_id)
    row.detail = {**row.detail, "tried_by": by}
    note(session, row, Step.OVERLAP, [proof], now, "rotation.tried")
    session.flush()
    return view(row)


def remember(session: Session, rotation_id: str, facts: Mapping[str, str]) -> None:
    """Names and references that later steps need; never a value."""
    row = locked(session, rotation_id)
    row.detail = {**row.detail, **facts}


def pending(session: Session, kind: str) -> list[str]:
    """The references of versions that are nobody's first choice yet."""
    return list(queries.pending_references(session, kind))


def current_versions(session: Session) -> Mapping[str, VersionView]:
    """By name, of what was ever rotated."""
    return {row.name: version_view(row) for row in queries.current_versions(session)}


def locked(session: Session, rotation_id: str) -> RotationRow:
    return _known(queries.lock(session, rotation_id), rotation_id)


def _known(row: RotationRow | None, rotation_id: str) -> RotationRow:
    if row is None:
        raise NotFound(
            f"There is no rotation {rotation_id}.", fix="`firstuser rotate status` shows the known ones."
        )
    return row
