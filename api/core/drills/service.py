"""The life of a drill in `ops.drills`. Each function is one transaction's worth; the caller commits.

What a step will have to undo is written before the step is taken, so that a kill at any line leaves a row
that says what is left behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.drills import queries
from api.core.drills.models import BeaconRow, Drill, FingerprintRow
from api.core.drills.records import (
    Beacon,
    CheckResult,
    DrillStatus,
    DrillSummary,
    Fingerprint,
    Phase,
)
from api.core.drills.verdict import Verdict, rto_seconds
from api.core.errors import NotFound
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.ports import Handle

LOCK = 7_303_014  # the advisory lock that one drill, or the sweep, holds while it works
EVIDENCE_STREAM = "drills"


def begin(
    session: Session,
    *,
    asked_target: str,
    trigger: str,
    flow_run_id: str | None,
    rto_target: float,
    rpo_target: float,
    check_names: Sequence[str],
    now: datetime,
) -> str:
    """Open a drill and return its id. The clock of the RTO starts here."""
    drill = Drill(
        id=new_id("drl"),
        status=DrillStatus.RUNNING.value,
        phase=Phase.LOCATE.value,
        trigger=trigger,
        flow_run_id=flow_run_id,
        asked_target=asked_target,
        rto_target=rto_target,
        rpo_target=rpo_target,
        check_names=list(check_names),
        rto_parts={},
        rpo_parts={},
        checks=[],
        issues=[],
        next_step="",
        started_at=now,
    )
    session.add(drill)
    session.flush()
    return drill.id


def row(session: Session, drill_id: str) -> Drill:
    drill = session.get(Drill, drill_id)
    if drill is None:
        raise NotFound(f"There is no drill {drill_id}.", fix="`firstuser drill list` shows the known ones.")
    return drill


def enter(session: Session, drill_id: str, phase: Phase) -> None:
    row(session, drill_id).phase = phase.value


def record_phase(session: Session, drill_id: str, phase: Phase, seconds: float) -> None:
    """Add to a phase's time (a phase may be worked at in two places)."""
    drill = row(session, drill_id)
    before = float(drill.rto_parts.get(phase.value, 0.0))
    drill.rto_parts = {**drill.rto_parts, phase.value: round(before + seconds, 3)}


def intend_database(
    session: Session,
    drill_id: str,
    *,
    name: str,
    target: datetime,
    restore_point: str,
    keep_until: datetime | None,
) -> None:
    """Write down the temporary database's name before it is created."""
    drill = row(session, drill_id)
    drill.database_name, drill.target_time = name, target
    drill.restore_point, drill.keep_until = restore_point, keep_until


def database_created(session: Session, drill_id: str, handle: Handle) -> None:
    plain = asdict(handle)
    plain["target_at"], plain["expires_at"] = handle.target_at.isoformat(), handle.expires_at.isoformat()
    drill = row(session, drill_id)
    drill.database, drill.target_time = plain, handle.target_at


def handle(drill: Drill) -> Handle | None:
    """The temporary database as the provider handed it out, None when it never came to that."""
    if drill.database is None:
        return None
    return Handle(
        name=drill.database["name"],
        target_at=datetime.fromisoformat(drill.database["target_at"]),
        expires_at=datetime.fromisoformat(drill.database["expires_at"]),
        details=dict(drill.database["details"]),
    )


def database_destroyed(session: Session, drill_id: str, now: datetime) -> None:
    row(session, drill_id).database_destroyed_at = now


def kept_copy(session: Session, drill_id: str) -> Handle | None:
    """The copy that still stands for inspection, if there is one."""
    drill = row(session, drill_id)
    return handle(drill) if drill.database_destroyed_at is None else None


def release_copy(session: Session, drill_id: str) -> None:
    """A kept copy need not be kept any longer."""
    row(session, drill_id).keep_until = None


def intend_pointing(session: Session, drill_id: str, home: str) -> None:
    """Remember where staging points before it is pointed elsewhere. Only the first word counts."""
    drill = row(session, drill_id)
    if drill.staging_home is None:
        drill.staging_home = home


def staging_restored(session: Session, drill_id: str, now: datetime) -> None:
    row(session, drill_id).staging_restored_at = now


def add_checks(session: Session, drill_id: str, results: Sequence[CheckResult]) -> None:
    """Keep the results; a check that is carried out again replaces its earlier result."""
    drill = row(session, drill_id)
    fresh = {result.name for result in results}
    kept = [old for old in drill.checks if old["name"] not in fresh]
    drill.checks = [*kept, *(result.to_json() for result in results)]


def checks(drill: Drill) -> list[CheckResult]:
    return [CheckResult.from_json(stored) for stored in drill.checks]


def record_rpo(session: Session, drill_id: str, seconds: float, parts: Mapping[str, float]) -> None:
    drill = row(session, drill_id)
    drill.rpo_seconds, drill.rpo_parts = round(seconds, 3), dict(parts)


def finish(session: Session, drill_id: str, verdict: Verdict, now: datetime) -> str:
    """Write the verdict and its evidence, in one transaction, once. Returns the evidence id."""
    drill = row(session, drill_id)
    if drill.evidence_id is not None:
        return drill.evidence_id
    drill.status, drill.issues, drill.next_step = (
        verdict.status.value,
        list(verdict.issues),
        verdict.next_step,
    )
    drill.finished_at, drill.phase = now, "done"
    if Phase.POINT.value in drill.rto_parts and verdict.status is not DrillStatus.ERROR:
        drill.rto_seconds = round(rto_seconds(drill.rto_parts), 3)
    session.flush()
    evidence_id = evidence.append(session, EVIDENCE_STREAM, "drill", _evidence(drill), now)
    drill.evidence_id = evidence_id
    return evidence_id


def _evidence(drill: Drill) -> dict[str, Any]:
    summary = summarise(drill)
    return {
        **summary.to_json(),
        "trigger": drill.trigger,
        "asked_target": drill.asked_target,
        "restore_point": drill.restore_point,
        "rto_target": drill.rto_target,
        "rpo_target": drill.rpo_target,
        "database_name": drill.database_name,
        "database_destroyed_at": _iso(drill.database_destroyed_at),
        "staging_restored_at": _iso(drill.staging_restored_at),
        "started_at": _iso(drill.started_at),
        "finished_at": _iso(drill.finished_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def summarise(drill: Drill) -> DrillSummary:
    return DrillSummary(
        id=drill.id,
        status=DrillStatus(drill.status),
        phase=drill.phase,
        trigger=drill.trigger,
        target_time=drill.target_time,
        rto_seconds=drill.rto_seconds,
        rto_parts={p.value: float(drill.rto_parts[p.value]) for p in Phase if p.value in drill.rto_parts},
        rpo_seconds=drill.rpo_seconds,
        rpo_parts={name: float(value) for name, value in drill.rpo_parts.items()},
        rto_target=drill.rto_target,
        rpo_target=drill.rpo_target,
        started_at=drill.started_at,
        finished_at=drill.finished_at,
        flow_run_id=drill.flow_run_id,
        checks=checks(drill),
        issues=[str(issue) for issue in drill.issues],
        next_step=drill.next_step,
        evidence_id=drill.evidence_id,
        database_name=drill.database_name,
        keep_until=drill.keep_until,
    )


def recent(session: Session, limit: int = 50) -> list[DrillSummary]:
    """Newest first."""
    return [summarise(drill) for drill in queries.recent(session, limit)]


def since(session: Session, moment: datetime) -> list[DrillSummary]:
    """Those that began after it, newest first."""
    return [summarise(drill) for drill in queries.since(session, moment)]


def get(session: Session, drill_id: str) -> DrillSummary:
    """Raises `NotFound`."""
    return summarise(row(session, drill_id))


def by_flow_run(session: Session, flow_run_id: str) -> DrillSummary | None:
    drill = queries.by_flow_run(session, flow_run_id)
    return summarise(drill) if drill else None


def last_passed(session: Session) -> DrillSummary | None:
    drill = queries.last_passed(session)
    return summarise(drill) if drill else None


def forget_beacons(session: Session, before: datetime) -> None:
    """Drop beacons and fingerprints that no restore point can reach any more."""
    queries.delete_beacons_before(session, before)


def beacon(stored: BeaconRow) -> Beacon:
    return Beacon(id=stored.id, at=stored.at, lsn=stored.lsn, snapshot=stored.snapshot, sample=stored.sample)


def fingerprint(stored: FingerprintRow) -> Fingerprint:
    return Fingerprint(
        id=stored.id, at=stored.at, snapshot=stored.snapshot, tables=stored.tables, facts=stored.facts
    )
