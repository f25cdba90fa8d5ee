"""Incidents on the Ops pages: what the rules say, and one incident's timeline, numbers and who did what.

For the homepage's owner. Confirming and resuming are theirs; the incident watch itself only proposes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from api.core.clock import system_clock
from api.core.incidents import postmortem, reading, service, telemetry
from api.core.incidents.pace import MINUTE, Pace
from api.core.incidents.postmortem import Row
from api.core.incidents.reading import EpisodeView
from api.db.engine import Session
from api.http.deps import At, HomepageOwner
from api.http.pages import charts
from api.http.pages.rendering import render
from api.http.services import Services
from api.providers.hosting import hosting_provider
from api.providers.responses import responses

router = APIRouter(prefix="/app/ops/incidents", include_in_schema=False)
_BEFORE, _AFTER, _LONGEST = timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=4)
APART = 60.0  # of the chart's own units
Why = Annotated[str, Form(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


@dataclass(frozen=True, slots=True)
class Chart:
    """The share of failed exchanges by the minute; `marks`: (x, what happened)."""

    drawn: charts.AreaChart
    marks: Sequence[tuple[float, str]]


@router.get("")
def incidents(request: Request, at: At, who: HomepageOwner) -> Response:
    with at.transaction() as session:
        now = _pace(at).at(system_clock())
        shown = {
            "who": who,
            "standings": reading.standings(session),
            "overrides": reading.overrides(session, now),
            "incidents": reading.episodes(session),
            "quarantined": telemetry.quarantined(session, now - timedelta(days=1)),
        }
    return render(request, "incidents.html", shown, title="Incidents")


@router.get("/{incident_id}")
def incident(request: Request, at: At, who: HomepageOwner, incident_id: str) -> Response:
    with at.transaction() as session:
        found = reading.episode(session, incident_id)
        rows = _rows(session, found)
    shown = {"who": who, "incident": found, "rows": rows, "chart": _chart(found, rows)}
    return render(request, "incident.html", shown, title=f"Incident {found.id}")


@router.get("/{incident_id}/postmortem.md")
def draft(at: At, who: HomepageOwner, incident_id: str) -> Response:
    with at.transaction() as session:
        found = reading.episode(session, incident_id)
        text = postmortem.markdown(found, _rows(session, found))
    name = {"Content-Disposition": f'attachment; filename="{found.id}.md"'}
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8", headers=name)


@router.post("/{incident_id}/confirm")
def confirm(at: At, who: HomepageOwner, incident_id: str) -> Response:
    """What was recommended is done by the watch's next run."""
    wall = system_clock()
    with at.transaction() as session:
        service.confirm(session, incident_id, actor=who.name, now=_pace(at).at(wall), wall=wall)
    return RedirectResponse(f"/app/ops/incidents/{incident_id}", 303)


@router.post("/{incident_id}/resume")
def resume(at: At, who: HomepageOwner, incident_id: str, reason: Why) -> Response:
    settings = at.settings
    made = responses(settings, at.transaction, hosting_provider(settings), at.vault, system_clock)
    with at.transaction() as session:
        to_undo = service.to_undo(session, incident_id)
    said = [made[one.kind].undo(one.target, who.name, f"{incident_id}: {reason}") for one in to_undo]
    wall = system_clock()
    with at.transaction() as session:
        service.resolve(
            session,
            incident_id,
            actor=who.name,
            reason=reason,
            undone=[one for one in said if one],
            env=settings.service.env,
            now=_pace(at).at(wall),
            wall=wall,
        )
    return RedirectResponse(f"/app/ops/incidents/{incident_id}", 303)


def _pace(at: Services) -> Pace:
    return Pace(at.settings.incidents.incident_clock_origin, at.settings.incidents.incident_clock_rate)


def _rows(session: Session, found: EpisodeView) -> list[Row]:
    start, end = found.since - _BEFORE, (found.resolved_at or found.tripped_at) + _AFTER
    series = telemetry.series(session, start, min(end, start + _LONGEST))
    counted = series.series.get(found.scope, ())
    known = max((place for place, bucket in enumerate(counted) if bucket), default=-1)
    return [(series.at(place), bucket) for place, bucket in enumerate(counted[: known + 1])]


def _chart(found: EpisodeView, rows: Sequence[Row]) -> Chart | None:
    if len(rows) < 2:
        return None
    start, end = rows[0][0], rows[-1][0]
    share = [(at, round(100 * one.failed / one.attempted) if one.attempted else 0) for at, one in rows if one]
    wanted = {"first bad minute", "trip", "action", "effect", "resolved"}
    marks = [
        (_x(one.at, start, end), one.kind)
        for one in found.timeline
        if one.kind in wanted and start <= one.at <= end
    ]
    return Chart(charts.area(share, start, end, MINUTE), beside(marks))


def beside(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """What happened so soon after another that their labels would cover each other has one label."""
    told: list[tuple[float, list[str]]] = []
    for x, what in sorted(marks, key=lambda mark: mark[0]):
        if told and x - told[-1][0] < APART:
            told[-1][1].extend([what] if what not in told[-1][1] else [])
        else:
            told.append((x, [what]))
    return [(x, ", ".join(whats)) for x, whats in told]


def _x(at: datetime, start: datetime, end: datetime) -> float:
    wide = charts.WIDTH - charts.LEFT - charts.RIGHT
    return round(charts.LEFT + wide * ((at - start) / (end - start)), 1)
