"""Alerts as JSON, for the owner of the homepage's space: what is open, tests, acknowledgements, silences."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from api.core.alerts import service, views
from api.core.alerts.views import AlertView
from api.core.clock import system_clock
from api.db.engine import Session
from api.http.deps import At, HomepageOwner
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

READING = (*FOUNDER_CODES, "homepage_owner_required")
CHANGING = (*READING, "foreign_origin", "refused")
router = APIRouter(prefix="/api/founder/v1/ops", tags=["alerts"], responses=documented(*READING))

Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
Part = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AlertOut(BaseModel):
    """`receipt`: how far it is proven to have got: L0 accepted, L1 read back, L2 acknowledged; or empty."""

    object: Literal["alert"] = "alert"
    id: str
    rule: str
    scope: str
    app_id: str
    severity: str
    title: str
    message: str
    metadata: Mapping[str, str]
    seen: int
    opened_at: Moment
    last_seen_at: Moment
    resolved_at: Moment | None
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    receipt: str
    runbook: str


class AlertsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[AlertOut]
    has_more: bool = False
    next_cursor: None = None


class SilenceIn(BaseModel):
    """Without rule, scope and app_id everything is held back."""

    rule: Part = ""
    scope: Part = ""
    app_id: Part = ""
    reason: Words
    minutes: float = Field(gt=0, le=7 * 24 * 60)


class SilenceOut(BaseModel):
    object: Literal["alert_silence"] = "alert_silence"
    id: str
    rule: str
    scope: str
    app_id: str
    owner: str
    reason: str
    expires_at: Moment


class SilencesOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[SilenceOut]
    has_more: bool = False
    next_cursor: None = None


@router.get("/alerts")
def list_alerts(
    at: At, who: HomepageOwner, state: Annotated[Literal["open", "resolved"], Query()] = "open"
) -> AlertsOut:
    """Open ones, the worst first; or the newest that ended."""
    base = at.settings.alerts.runbooks_url
    with at.transaction() as session:
        found = views.open_alerts(session, base) if state == "open" else views.ended_alerts(session, base)
    return AlertsOut(data=[_out(one) for one in found])


@router.post("/alerts/test", status_code=202, responses=documented(*CHANGING))
def send_test(at: At, who: HomepageOwner) -> AlertOut:
    """A test goes the way of every other alert."""
    with at.transaction() as session:
        alert_id = service.test(session, at.settings.service.env, who.name, system_clock())
        return _one(at, session, alert_id)


@router.get("/alerts/{alert_id}")
def get_alert(at: At, who: HomepageOwner, alert_id: str) -> AlertOut:
    with at.transaction() as session:
        return _one(at, session, alert_id)


@router.post("/alerts/{alert_id}/acknowledge", responses=documented(*CHANGING))
def acknowledge(at: At, who: HomepageOwner, alert_id: str) -> AlertOut:
    """By whoever is signed in; a second time changes nothing."""
    with at.transaction() as session:
        service.acknowledge(session, alert_id, who.name, system_clock())
        return _one(at, session, alert_id)


@router.get("/silences")
def list_silences(at: At, who: HomepageOwner) -> SilencesOut:
    """Those that hold now, the first to end first."""
    with at.transaction() as session:
        found = views.silences(session, system_clock())
    return SilencesOut(data=[SilenceOut.model_validate(one, from_attributes=True) for one in found])


@router.post("/silences", status_code=201, responses=documented(*CHANGING))
def silence(at: At, who: HomepageOwner, body: SilenceIn) -> SilenceOut:
    """Hold messages back. What is raised meanwhile is kept, and sent when the silence ends."""
    now = system_clock()
    with at.transaction() as session:
        silence_id = service.silence(
            session,
            rule=body.rule,
            scope=body.scope,
            app_id=body.app_id,
            owner=who.name,
            reason=body.reason,
            length=timedelta(minutes=body.minutes),
            now=now,
        )
        found = next(one for one in views.silences(session, now) if one.id == silence_id)
    return SilenceOut.model_validate(found, from_attributes=True)


@router.delete("/silences/{silence_id}", status_code=204, responses=documented(*CHANGING))
def unsilence(at: At, who: HomepageOwner, silence_id: str) -> Response:
    """End it early: what it held back is sent."""
    with at.transaction() as session:
        service.unsilence(session, silence_id, who.name, system_clock())
    return Response(status_code=204)


def _one(at: Services, session: Session, alert_id: str) -> AlertOut:
    return _out(views.alert(session, alert_id, at.settings.alerts.runbooks_url))


def _out(found: AlertView) -> AlertOut:
    return AlertOut.model_validate(found, from_attributes=True)
