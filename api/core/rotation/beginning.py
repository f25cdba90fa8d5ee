"""How a rotation begins: the version in use is put on record, the next is minted. One transaction's worth."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.errors import Conflict, Refused
from api.core.ids import new_id
from api.core.rotation import queries, service
from api.core.rotation.cadence import POLICIES
from api.core.rotation.kinds import Kind
from api.core.rotation.ledger import note
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView, view
from api.core.rotation.steps import Mode, State, Step, Wait


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
    One that only backups need is no hindrance: it goes on being kept."""
    grace = _grace(kind, mode, grace)
    queries.hold_name(session, name)
    for earlier in queries.running(session, name):
        if earlier.overlap_until is None:
            return _continued(session, earlier, mode, grace)
        kept = view(earlier).waits(now) is Wait.KEPT
        _supersede(session, earlier, forced or kept or mode is Mode.INCIDENT, now)
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
    service.advance(session, row, Step.MINT, [], now)


def _grace(kind: Kind, mode: Mode, asked: timedelta | None) -> timedelta:
    policy = POLICIES[kind.kind]
    grace = timedelta() if mode is Mode.INCIDENT else policy.grace if asked is None else asked
    if not timedelta() <= grace <= policy.longest:
        days = policy.longest / timedelta(days=1)
        raise Refused(
            f"The grace period is not between 0 seconds and {days:g} days.", fix="Choose one that is."
        )
    return grace


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
