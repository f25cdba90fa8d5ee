"""Rehearsals of the rollback as rows: begun before anything is touched, a kill leaves what to undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.core.errors import NotFound
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.preflight import queries
from api.core.preflight.judging.people import Rehearsed

STREAM = "rehearsals"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`back_seconds`: to the previous release; `forth_seconds`: and to this one again. `home` and `back_to`
    are the deploys."""

    id: str
    service: str
    of_release: str
    to_release: str
    home: str
    back_to: str
    status: str
    step: str
    detail: str
    back_seconds: float | None
    forth_seconds: float | None
    started_at: datetime
    finished_at: datetime | None
    evidence_id: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "service": self.service,
            "of_release": self.of_release,
            "to_release": self.to_release,
            "status": self.status,
            "step": self.step,
            "detail": self.detail,
            "back_seconds": self.back_seconds,
            "forth_seconds": self.forth_seconds,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "evidence_id": self.evidence_id,
        }


def begin(
    session: Session,
    *,
    service: str,
    of_release: str,
    to_release: str,
    home: str,
    back_to: str,
    flow_run_id: str | None,
    now: datetime,
) -> str:
    rehearsal_id = new_id("rhl")
    values = {"service": service, "of_release": of_release, "to_release": to_release, "step": "back"}
    deploys = {"home": home, "back_to": back_to}
    more = {"id": rehearsal_id, "flow_run_id": flow_run_id, "started_at": now}
    queries.add_rehearsal(session, {**values, **deploys, **more})
    return rehearsal_id


def went_back(session: Session, rehearsal_id: str, seconds: float) -> None:
    values = {"back_seconds": round(seconds, 3), "step": "forth"}
    queries.change_rehearsal(session, rehearsal_id, values)


def came_forth(session: Session, rehearsal_id: str, seconds: float) -> None:
    queries.change_rehearsal(session, rehearsal_id, {"forth_seconds": round(seconds, 3), "step": "home"})


def finish(session: Session, rehearsal_id: str, *, passed: bool, detail: str, now: datetime) -> str:
    """The verdict with its evidence, once. Returns the evidence id."""
    found = get(session, rehearsal_id)
    if found.evidence_id:
        return found.evidence_id
    status = "passed" if passed else "failed"
    body = found.to_json() | {"status": status, "detail": detail, "finished_at": now.isoformat()}
    evidence_id = evidence.append(session, STREAM, "rehearsal", body, now)
    values = {"status": status, "detail": detail, "finished_at": now, "evidence_id": evidence_id}
    queries.change_rehearsal(session, rehearsal_id, values)
    return evidence_id


def get(session: Session, rehearsal_id: str) -> Rehearsal:
    """Raises `NotFound`."""
    row = queries.rehearsal(session, rehearsal_id)
    if row is None:
        raise NotFound(f"There is no rehearsal {rehearsal_id}.")
    return _rehearsal(row)


def recent(session: Session, limit: int = 10) -> Sequence[Rehearsal]:
    """Newest first."""
    return [_rehearsal(row) for row in queries.rehearsals(session, limit)]


def unfinished(session: Session) -> Sequence[Rehearsal]:
    return [_rehearsal(row) for row in queries.rehearsing(session)]


def last_passed(session: Session) -> Rehearsed | None:
    row = queries.rehearsed(session)
    if row is None:
        return None
    return Rehearsed(
        row["id"],
        row["of_release"],
        row["to_release"],
        row["finished_at"],
        row["back_seconds"],
        row["forth_seconds"],
        row["evidence_id"],
    )


def _rehearsal(row: RowMapping) -> Rehearsal:
    return Rehearsal(
        id=row["id"],
        service=row["service"],
        of_release=row["of_release"],
        to_release=row["to_release"],
        home=row["home"],
        back_to=row["back_to"],
        status=row["status"],
        step=row["step"],
        detail=row["detail"],
        back_seconds=row["back_seconds"],
        forth_seconds=row["forth_seconds"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        evidence_id=row["evidence_id"],
    )
