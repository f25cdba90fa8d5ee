"""`incidents list`, `show`, `export`: what tripped, what was done, who did what."""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.core.incidents import postmortem, telemetry
from api.core.incidents import reading as incidents
from api.core.incidents.pace import MINUTE
from api.core.incidents.postmortem import Row
from api.core.incidents.reading import EpisodeView
from api.db.engine import Session
from deployments.commands.incidents.shared import AsJson, err, out
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import watching, wiring

_BEFORE, _AFTER = timedelta(minutes=10), timedelta(minutes=30)
Incident = Annotated[str, typer.Argument(help="As `incidents list` names it")]


def list_incidents(as_json: AsJson = False) -> None:
    """What each rule says now, which overrides hold, and the latest incidents."""
    open_service()
    with wiring.transaction() as session:
        now = watching.pace().at(telemetry.database_now(session))
        standings, found = incidents.standings(session), incidents.episodes(session)
        overrides = incidents.overrides(session, now)
        quarantined = telemetry.quarantined(session, now - timedelta(days=1))
    if as_json:
        print_json(
            {
                "incidents": [asdict(one) | {"state": one.state} for one in found],
                "standings": [asdict(one) for one in standings],
                "overrides": [asdict(one) for one in overrides],
                "quarantined_in_a_day": quarantined,
            }
        )
        return
    rows = [(one.rule, one.scope or "everything", one.verdict, one.paged) for one in standings]
    out.print(table(("rule", "scope", "verdict", "pages"), rows) if rows else "Nothing was judged yet.")
    for one in overrides:
        out.print(
            f"{one.rule} is {one.mode} until {one.expires_at:%Y-%m-%d %H:%M}: {one.reason} ({one.actor})"
        )
    if quarantined:
        out.print(f"{quarantined} counts of the future are in quarantine.")
    listed = [
        (
            one.id,
            one.rule,
            one.scope or "everything",
            one.state,
            f"{one.tripped_at:%Y-%m-%d %H:%M}",
            one.cause,
        )
        for one in found
    ]
    columns = ("incident", "rule", "scope", "state", "tripped", "looks like")
    out.print(table(columns, listed) if listed else "No incident.")


def show(incident: Incident, as_json: AsJson = False) -> None:
    """One incident: its timeline, its actions and whether their effect was seen."""
    open_service()
    with wiring.transaction() as session:
        found = incidents.episode(session, incident)
    if as_json:
        print_json(asdict(found) | {"state": found.state})
        return
    out.print(f"{found.id}: {found.rule} {found.title}, {found.scope or 'everything'}, {found.state}")
    out.print(f"Mode {found.mode}; it looks like {found.cause}.")
    out.print(
        table(
            ("action", "with", "state"),
            [(one.kind, one.target or "everything", one.state) for one in found.actions],
        )
    )
    for one in found.timeline:
        out.print(f"{one.at:%H:%M:%S} {one.kind} ({one.actor}): {one.said}")


def export(
    incident: Incident,
    file: Annotated[Path | None, typer.Option(help="Where to; stdout without")] = None,
) -> None:
    """A postmortem draft in Markdown."""
    open_service()
    with wiring.transaction() as session:
        found = incidents.episode(session, incident)
        text = postmortem.markdown(found, rows(session, found))
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text)
    err.print(f"Written to {file}.")


def rows(session: Session, found: EpisodeView) -> list[Row]:
    """The minutes around it."""
    start, end = found.since - _BEFORE, (found.resolved_at or found.tripped_at) + _AFTER
    return minutes(session, found.scope, start, min(end, start + timedelta(hours=3)))


def minutes(session: Session, scope: str, since: datetime, until: datetime) -> list[Row]:
    series = telemetry.series(session, since, until)
    return [(series.start + place * MINUTE, one) for place, one in enumerate(series.series.get(scope, ()))]
