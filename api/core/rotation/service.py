"""The life of a rotation in `ops.rotations`. Each function is one transaction's worth; the caller commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api.core.errors import Conflict, NotFound, Refused
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.rotation import queries, steps
from api.core.rotation.cadence import POLICIES
from api.core.rotation.kinds import Kind, Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView, VersionView, version_view, view
from api.core.rotation.steps import Mode, State, Step, Wait

EVIDENCE_STREAM = "rotations"


def begin(
    session: Session,
    kind: Kind,
    name: str,
    *,
    mode: Mode,
    by: str,
    now: datetime,
    reason: str = "",
    grace: timedelta | None = None,
    forced: bool = False,
    flow_run_id: str | None = None,
) -> RotationView:
    """Open a rotation and mint its version. One that has not come to its overlap is continued instead.

    Raises `NotFound`, `Refused` (grace out of range), `Conflict` (`rotation_in_progress`: an old one is
    still valid) unless `forced` or in an incident: then the earlier one's end stands and this one's comes.
    `old_one_needed` whatever is said: a key that still opens something would be lost."""
    grace = _grace(kind, mode, grace)
    queries.hold_name(session, name)
    for earlier in queries.running(session, name):
        if earlier.overlap_until is None:
            return _continued(session, earlier, mode, grace)
        _check_archive(kind, view(earlier))
        _supersede(session, earlier, forced or mode is Mode.INCIDENT, now)
    from_version, to_version = _versions(session, kind, name, now)
    row = RotationRow(
        id=new_id("rot"),
        name=name,
        kind=kind.kind,
        mode=mode.value,
        state=State.RUNNING.value,
        step=Step.MINT.value,
        from_version=from_version,
        to_version=to_version,
        grace_seconds=grace.total_seconds(),
        asked_by=by,
        reason=reason,
        flow_run_id=flow_run_id,
        problem="",
        detail={},
        proofs=[],
        started_at=now,
        step_at=now,
    )
    session.add(row)
    session.flush()
    mint(session, kind, row, now)
    return view(row)


def mint(session: Session, kind: Kind, row: RotationRow, now: datetime) -> None:
    version: dict[str, object] = {"name": row.name, "version": row.to_version, "kind": row.kind}
    reference = kind.mint(session, row, now)
    facts = {"reference": reference, "stage": "pending", "made_by": row.asked_by, "minted_at": now}
    queries.put_version(session, {**version, **facts})
    advance(session, row, Step.MINT, [], now)


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


def end_overlap(session: Session, kind: Kind, rotation_id: str, by: str, now: datetime) -> RotationView:
    """Somebody says that the old one is not needed any more; whether backups need it is looked at again.
    Raises `Conflict` outside of the overlap."""
    row = _locked(session, rotation_id)
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


def hand_over(session: Session, rotation_id: str, by: str, now: datetime) -> RotationView:
    """Somebody sees the new value now; the view holds it sealed. An answer that got lost may be asked for
    again by the same person within `SHOWN_AGAIN`. Raises `Conflict`."""
    row = _locked(session, rotation_id)
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


def check_roll_back(session: Session, rotation_id: str, now: datetime) -> RotationView:
    """Raises `Conflict` once the old one has ended."""
    found = get(session, rotation_id)
    if found.state is State.ROLLED_BACK or steps.may_roll_back(found.standing, now):
        return found
    raise Conflict(
        f"Rotation {rotation_id} cannot be rolled back any more: the old one has ended.",
        fix="Rotate again: the version that works now stays until the next one is proven.",
    )


def roll_back(
    session: Session, kind: Kind, rotation_id: str, by: str, proofs: Sequence[Proof], now: datetime
) -> RotationView:
    row = _locked(session, rotation_id)
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
    _locked(session, rotation_id).witness = sealed


def keep_old(session: Session, rotation_id: str, freed_at: datetime, until: datetime) -> None:
    """See `archive.kept_until`: it stays, as one that only reads."""
    row = _locked(session, rotation_id)
    row.detail = {**row.detail, "freed_at": freed_at.isoformat(), "kept_until": until.isoformat()}


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


def pending(session: Session, kind: str) -> list[str]:
    """The references of versions that are nobody's first choice yet."""
    return list(queries.pending_references(session, kind))


def current_versions(session: Session) -> Mapping[str, VersionView]:
    """By name, of what was ever rotated."""
    return {row.name: version_view(row) for row in queries.current_versions(session)}


def note(
    session: Session, row: RotationRow, step: Step, proofs: Sequence[Proof], now: datetime, kind: str
) -> None:
    """Into the row and into the ledger: who asked, which versions, what was tried."""
    said = [proof.to_json(step.value, now) for proof in proofs]
    fresh = {(one["step"], one["name"]) for one in said}
    row.proofs = [one for one in row.proofs if (one["step"], one["name"]) not in fresh] + said
    body: dict[str, Any] = {
        "rotation_id": row.id,
        "secret": row.name,
        "mode": row.mode,
        "from_version": row.from_version,
        "to_version": row.to_version,
        "asked_by": row.asked_by,
        "reason": row.reason,
        "detail": row.detail,
        "proofs": said,
    }
    evidence.append(session, EVIDENCE_STREAM, kind, body, now)


def _grace(kind: Kind, mode: Mode, asked: timedelta | None) -> timedelta:
    policy = POLICIES[kind.kind]
    grace = timedelta() if mode is Mode.INCIDENT else policy.grace if asked is None else asked
    if not timedelta() <= grace <= policy.longest:
        days = policy.longest / timedelta(days=1)
        raise Refused(
            f"The grace period is not between 0 seconds and {days:g} days.", fix="Choose one that is."
        )
    return grace


def _check_archive(kind: Kind, earlier: RotationView) -> None:
    """Stores hold two versions: a third would drop one that rows or backups are sealed with."""
    if not POLICIES[kind.kind].archived or earlier.step is not Step.RETIRE:
        return
    raise Conflict(
        f"Version {earlier.from_version} of {earlier.name} is still needed to read what it has sealed, until"
        f" {earlier.rests_until:%Y-%m-%d %H:%M} UTC at least, and would be lost.",
        fix=f"`firstuser rotate retire {earlier.id}` ends it, or says what needs it; then rotate again.",
        code="old_one_needed",
    )


def _continued(session: Session, row: RotationRow, mode: Mode, grace: timedelta) -> RotationView:
    """The pending version is used. What began on a planned window becomes urgent by an incident."""
    if mode is Mode.INCIDENT:
        row.mode = mode.value
    row.grace_seconds = grace.total_seconds()
    session.flush()
    return view(row)


def _supersede(session: Session, earlier: RotationRow, allowed: bool, now: datetime) -> None:
    until = earlier.overlap_until
    if not allowed:
        ends = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""
        raise Conflict(
            f"A rotation is under way: the one before still works{ends}.",
            fix="Revoke the old one, wait for its end, or force the rotation.",
            code="rotation_in_progress",
        )
    earlier.state, earlier.ended_at, earlier.witness = State.SUPERSEDED.value, now, None
    earlier.handover = None
    note(session, earlier, Step(earlier.step), [], now, "rotation.superseded")
    session.flush()


def _versions(session: Session, kind: Kind, name: str, now: datetime) -> tuple[int, int]:
    """The version in use and the next one. One that no rotation made is put on record first."""
    found, known = kind.current(session, name), queries.versions(session, name)
    highest = max([found.version, *(one.version for one in known)])
    match = next((one for one in known if one.reference == found.reference and one.stage == "current"), None)
    if match is not None:
        return match.version, highest + 1
    version = max([found.version, *(one.version + 1 for one in known)])
    for stale in (one for one in known if one.stage == "current"):
        queries.move(session, name, stale.version, stage="retired", retired_at=now)
    since = found.since or now
    queries.put_version(
        session,
        {
            "name": name,
            "version": version,
            "kind": kind.kind,
            "reference": found.reference,
            "stage": "current",
            "made_by": found.made_by,
            "minted_at": since,
            "current_at": since,
        },
    )
    return version, version + 1


def _locked(session: Session, rotation_id: str) -> RotationRow:
    return _known(queries.lock(session, rotation_id), rotation_id)


def _known(row: RotationRow | None, rotation_id: str) -> RotationRow:
    if row is None:
        raise NotFound(
            f"There is no rotation {rotation_id}.", fix="`firstuser rotate status` shows the known ones."
        )
    return row
