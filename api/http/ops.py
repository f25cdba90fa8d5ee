"""Operations as JSON: drills, backups, and the button that starts a drill."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.core.clock import system_clock
from api.core.drills import service as drills
from api.core.drills.records import DrillSummary
from api.core.errors import NotFound, Refused
from api.core.ports import RestorePoint
from api.db.engine import Session
from api.http.deps import At, SignedIn
from api.http.idempotency import IDEMPOTENCY_CODES, Answer, FounderOnceIfKeyed
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(prefix="/api/founder/v1/ops", tags=["ops"], responses=documented(*FOUNDER_CODES))
DEPLOYMENT = "restore-drill/restore-drill"
LATEST = "latest"
_STARTING = (
    *FOUNDER_CODES,
    "foreign_origin",
    "refused",
    *IDEMPOTENCY_CODES,
    "provider_rejected",
    "provider_unavailable",
    "provider_timed_out",
)


class DrillIn(BaseModel):
    """Everything is optional: the flow's own defaults apply to what is left out. `keep`: minutes."""

    target: AwareDatetime | None = Field(None, description="A moment; left out: the newest restorable one")
    rto_target: float | None = Field(None, gt=0, le=86_400)
    rpo_target: float | None = Field(None, gt=0, le=86_400)
    checks: list[str] | None = None
    keep: float | None = Field(None, ge=0, le=1440)


class StartedOut(BaseModel):
    id: str
    url: str


class DrillsOut(BaseModel):
    object: str = "list"
    data: list[dict[str, Any]]
    has_more: bool
    next_cursor: None = None
    last_passed_at: Moment | None


class RestorePointOut(BaseModel):
    id: str
    kind: str
    earliest: Moment
    latest: Moment | None
    size_bytes: int
    chain: list[str]
    verified_at: Moment | None


class BackupsOut(BaseModel):
    object: str = "list"
    data: list[RestorePointOut]
    has_more: bool = False
    next_cursor: None = None
    latest_restorable: Moment | None


@router.get("/drills")
def list_drills(at: At, who: SignedIn, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> DrillsOut:
    """Newest first."""
    with at.transaction() as session:
        found = drills.recent(session, limit + 1)
        last = drills.last_passed(session)
    return DrillsOut(
        data=[drill_json(drill, at) for drill in found[:limit]],
        has_more=len(found) > limit,
        last_passed_at=last.finished_at if last else None,
    )


@router.get("/drills/{drill_id}")
def get_drill(at: At, who: SignedIn, drill_id: str) -> dict[str, Any]:
    """By the drill's id, or by the id of the flow run that a POST answered with."""
    with at.transaction() as session:
        return drill_json(find(session, drill_id), at)


@router.post("/drills", status_code=202, response_model=StartedOut, responses=documented(*_STARTING))
def start_drill(at: At, who: SignedIn, once: FounderOnceIfKeyed, body: DrillIn | None = None) -> Response:
    """Start the flow run; the same Idempotency-Key starts it only once."""

    def act() -> Answer:
        flow_run_id = start(at, body or DrillIn.model_validate({}), once.key)
        return 202, StartedOut(id=flow_run_id, url=at.prefect.run_url(flow_run_id))

    return once.answer_after(act)


@router.get("/backups")
def list_backups(at: At, who: SignedIn) -> BackupsOut:
    """Restore points, oldest first."""
    points = at.backups().restore_points()
    return BackupsOut(
        data=[RestorePointOut.model_validate(point, from_attributes=True) for point in points],
        latest_restorable=latest_restorable(points),
    )


def start(at: Services, asked: DrillIn, idempotency_key: str | None) -> str:
    """The flow run's id. Raises `Refused` for a target in the future, `ProviderError` from Prefect."""
    if asked.target and asked.target > system_clock():
        raise Refused("The target time is in the future.", fix="Name a moment that has passed.")
    given = {
        "target": asked.target.isoformat() if asked.target else LATEST,
        "rto_target": asked.rto_target,
        "rpo_target": asked.rpo_target,
        "checks": asked.checks,
        "keep_minutes": asked.keep,
        "trigger": "founder",
    }
    parameters = {name: value for name, value in given.items() if value is not None}
    return at.prefect.start(DEPLOYMENT, parameters, idempotency_key or secrets.token_urlsafe(16))


def find(session: Session, drill_id: str) -> DrillSummary:
    """Raises `NotFound`."""
    if drill_id.startswith("drl_"):
        return drills.get(session, drill_id)
    found = drills.by_flow_run(session, drill_id)
    if found is None:
        raise NotFound("That flow run has not begun a drill yet.", fix="Ask again in a few seconds.")
    return found


def drill_json(drill: DrillSummary, at: Services) -> dict[str, Any]:
    return drill.to_json() | {
        "rto_target": drill.rto_target,
        "rpo_target": drill.rpo_target,
        "phase": drill.phase,
        "trigger": drill.trigger,
        "started_at": drill.started_at.isoformat(),
        "finished_at": drill.finished_at.isoformat() if drill.finished_at else None,
        "url": at.prefect.run_url(drill.flow_run_id) if drill.flow_run_id else None,
    }


def latest_restorable(points: Sequence[RestorePoint]) -> datetime | None:
    """The newest moment that any of them reaches."""
    moments = [point.latest for point in points if point.latest is not None]
    return max(moments, default=None)
