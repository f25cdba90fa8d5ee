"""The Ops page: can we get the data back, how far, how fast, and when was that last proven?"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.core.alerts import runs
from api.core.clock import system_clock
from api.core.drills import service as drills
from api.core.drills.history import WEEK, History, history
from api.core.drills.records import DrillStatus, DrillSummary
from api.core.errors import FirstUserError
from api.core.flags.rules import EVERYWHERE, FlagKey
from api.core.founders.service import FounderView
from api.core.ports import RestorePoint
from api.http import features, ops
from api.http.deps import At, HomepageOwner, SignedIn
from api.http.pages import charts, ops_alerts, preflight, switches
from api.http.pages import format as words
from api.http.pages.charts import Sample, TrendChart
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app/ops", include_in_schema=False)
DRILL_DUE = timedelta(days=7)  # runbook section 2: weekly
BACKUP_DUE = timedelta(days=1, hours=2)  # runbook section 2: daily
_SHOWN = 20
_WEEKS_SHOWN = 26
Started = Annotated[str | None, Query(max_length=100)]


@dataclass(frozen=True, slots=True)
class Backups:
    """`problem` says why there is nothing to show."""

    points: Sequence[RestorePoint]
    newest: RestorePoint | None
    latest_restorable: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class DrillsView:
    """`waiting_for` is a flow run that was asked for and has not begun its drill; `busy` while one runs."""

    drills: Sequence[DrillSummary]
    last_passed: DrillSummary | None
    rto: TrendChart
    rpo: TrendChart
    weeks: History
    waiting_for: str | None
    busy: bool


@router.get("")
def page(request: Request, at: At, who: SignedIn, started: Started = None) -> Response:
    return _page(request, at, who, started=started)


@router.get("/state")
def state(request: Request, at: At, who: SignedIn, started: Started = None) -> Response:
    """The part of the page that refreshes itself while a drill runs."""
    return render(request, "ops_state.html", _state(at, started))


@router.get("/runs")
def flow_runs(request: Request, at: At, who: SignedIn) -> Response:
    """Every deployment with its newest run. The page asks for it later, and waits for no Prefect."""
    deployments, problem = [], ""
    try:
        deployments = at.prefect.deployments()
    except FirstUserError as error:
        problem = str(error)
    shown = {"deployments": deployments, "problem": problem, "now": system_clock(), "at": at}
    return render(request, "ops_runs.html", shown)


@router.get("/drills/{drill_id}")
def drill(request: Request, at: At, who: SignedIn, drill_id: str) -> Response:
    with at.transaction() as session:
        found = ops.find(session, drill_id)
        away = runs.silent_since(session, system_clock())
    url = at.prefect.run_url(found.flow_run_id) if found.flow_run_id else None
    shown = {"who": who, "drill": found, "run_url": url, "prefect_away": away}
    return render(request, "drill.html", shown, title="Restore drill")


@router.post("/drills")
def start(
    request: Request,
    at: At,
    who: SignedIn,
    token: Annotated[str, Form(max_length=100)],
    target: Annotated[str, Form()] = "",
    rto_target: Annotated[str, Form()] = "",
    rpo_target: Annotated[str, Form()] = "",
    keep: Annotated[str, Form()] = "",
) -> Response:
    """The form's button. Its token makes a double click start one drill."""
    given = {"rto_target": rto_target, "rpo_target": rpo_target, "keep": keep}
    try:
        asked = ops.DrillIn.model_validate(
            {"target": _utc(target), **{name: value or None for name, value in given.items()}}
        )
        flow_run_id = ops.start(at, asked, token)
    except (ValidationError, ValueError):
        return _page(request, at, who, status=422, problem="A number or the target time is out of range.")
    except FirstUserError as error:
        return _page(request, at, who, status=503 if error.retryable else 422, problem=str(error))
    return RedirectResponse(f"/app/ops?started={flow_run_id}", 303)


@router.post("/flags/{key}")
def turn(
    request: Request,
    at: At,
    who: HomepageOwner,
    key: FlagKey,
    enabled: Annotated[bool, Form()],
    reason: Annotated[str, Form(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = "",
) -> Response:
    """A global switch's button."""
    why = " ".join(reason.split())
    if not why:
        return _page(request, at, who, status=422, switch_problem="Say why: it goes on record.")
    with at.transaction() as session:
        features.change(session, at, key, EVERYWHERE, enabled, who.id, why)
    at.flags.refresh()
    return RedirectResponse("/app/ops#switches", 303)


def backups_view(at: Services) -> Backups:
    """Restore points, newest first. A provider that cannot tell is a sentence, not an error page."""
    try:
        points = list(at.backups().restore_points())
    except FirstUserError as error:
        return Backups([], None, None, str(error))
    newest = points[-1] if points else None
    return Backups(points[::-1], newest, ops.latest_restorable(points), "")


def drills_view(at: Services, started: str | None, now: datetime) -> DrillsView:
    with at.transaction() as session:
        recent = drills.recent(session, _SHOWN)
        passed = drills.last_passed(session)
        past = drills.since(session, now - _WEEKS_SHOWN * WEEK)
    begun = any(drill.flow_run_id == started for drill in recent)
    waiting = started if started and not begun else None
    running = any(drill.status is DrillStatus.RUNNING for drill in recent)
    in_time = recent[::-1]
    return DrillsView(
        drills=recent,
        last_passed=passed,
        rto=_trend([(d, d.rto_seconds, d.rto_target) for d in in_time]),
        rpo=_trend([(d, d.rpo_seconds, d.rpo_target) for d in in_time]),
        weeks=history(past, now, _WEEKS_SHOWN),
        waiting_for=waiting,
        busy=running or waiting is not None,
    )


def _trend(measured: Sequence[tuple[DrillSummary, float | None, float]]) -> TrendChart:
    kept = [(drill, value, target) for drill, value, target in measured if value is not None]
    samples = [
        Sample(
            at=drill.started_at,
            value=value,
            css=drill.status.value,
            label=f"{words.moment(drill.started_at)}: {words.seconds(value)}, {drill.status.value}",
        )
        for drill, value, _ in kept
    ]
    ends = (words.day(samples[0].at), words.day(samples[-1].at)) if samples else ("", "")
    return charts.trend(samples, kept[-1][2] if kept else None, *ends)


def _page(
    request: Request,
    at: Services,
    who: FounderView,
    *,
    status: int = 200,
    started: str | None = None,
    problem: str = "",
    switch_problem: str = "",
) -> Response:
    seen = switches.view(at, who)
    shown = _state(at, started) | {
        "who": who,
        "alerts": ops_alerts.view(at) if seen.may_change else None,
        "preflight": preflight.view(at),
        "targets": at.settings.drills,
        "problem": problem,
        "switches": seen,
        "switch_problem": switch_problem,
        "token": secrets.token_urlsafe(16),
    }
    return render(request, "ops.html", shown, status=status, title="Ops")


def _state(at: Services, started: str | None) -> dict[str, object]:
    """What `ops_state.html` shows. Reality's clock, whatever the product's says; older than `due` is late."""
    now = system_clock()
    with at.transaction() as session:
        away = runs.silent_since(session, now)
    return {
        "at": at,
        "prefect_away": away,
        "now": now,
        "due": {"drill": now - DRILL_DUE, "backup": now - BACKUP_DUE},
        "view": drills_view(at, started, now),
        "backups": backups_view(at),
    }


def _utc(text: str) -> datetime | None:
    """What a `datetime-local` field sends, read as UTC as its label says. Raises `ValueError`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
