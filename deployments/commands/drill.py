"""`firstuser drill`: start a restore drill through Prefect, follow it, print its verdict.

`drill list`, `drill history`, `drill show ID`, `drill release ID` (destroy a kept copy), `drill sweep` (undo
what crashed drills left).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.core.clock import system_clock
from api.core.drills import service, undo
from api.core.drills.drilling import DEFAULT_CHECKS, OPTIONAL_CHECKS
from api.core.drills.history import WEEK, history
from api.core.drills.records import RTO_PHASES, CheckStatus, DrillStatus, DrillSummary
from api.core.drills.targets import LATEST
from api.core.errors import FirstUserError, Refused, TimedOut
from api.core.ids import new_id
from api.providers.orchestration.prefect import Prefect
from deployments.local.stack import open_service
from deployments.progress import Step, showing
from flows import drill_history, wiring

DEPLOYMENT = "restore-drill/restore-drill"
POLL_S = 0.25
WIDE = 160  # columns where nobody's terminal sets the width
NOT_GOOD = 1
PHASES = [phase.value for phase in RTO_PHASES]
COLOURS = {CheckStatus.PASS: "green", CheckStatus.SKIP: "dim"}

app = typer.Typer(help="Restore drills: start one, list them, look at one.", invoke_without_command=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="drill")


@app.callback()
def drill(
    context: typer.Context,
    target: Annotated[str, typer.Option(help="`latest`, or a moment such as 2026-11-22T14:05:00Z")] = LATEST,
    rto_target: Annotated[float | None, typer.Option(help="Seconds from asking to verified")] = None,
    rpo_target: Annotated[float | None, typer.Option(help="Seconds of data that may be lost")] = None,
    checks: Annotated[str, typer.Option(help="Comma-separated; `all` adds the slow ones")] = "",
    keep_minutes: Annotated[float, typer.Option(min=0, max=1440, help="Keep the copy to look at it")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the verdict")] = 7200,
    as_json: AsJson = False,
) -> None:
    """Run a restore drill and wait for its verdict. Exit code 0 only when it passed."""
    if context.invoked_subcommand is not None:
        return
    try:
        with showing(err, "restore drill", quiet=as_json) as step:
            finished = _run(target, rto_target, rpo_target, checks, keep_minutes, timeout, step)
    except FirstUserError as refusal:
        if not as_json:
            raise
        finished = _without_drill(None, refusal.message, refusal.fix)
    document = finished.to_json() if isinstance(finished, DrillSummary) else finished
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif isinstance(finished, DrillSummary):
        _print(finished)
    else:
        err.print(f"[red]error:[/red] {'; '.join(document['issues'])}")
    if document["status"] != DrillStatus.PASSED.value:
        raise typer.Exit(NOT_GOOD)


def _run(
    target: str,
    rto_target: float | None,
    rpo_target: float | None,
    checks: str,
    keep_minutes: float,
    timeout: float,
    step: Step,
) -> DrillSummary | dict[str, Any]:
    settings = open_service()
    parameters = {
        "target": target,
        "rto_target": rto_target or settings.drills.drill_rto_target_seconds,
        "rpo_target": rpo_target or settings.drills.drill_rpo_target_seconds,
        "checks": _checks(checks),
        "keep_minutes": keep_minutes,
        "trigger": "cli",
    }
    prefect = Prefect.from_settings(settings.service)
    flow_run_id = prefect.start(DEPLOYMENT, parameters, idempotency_key=new_id("cli"))
    err.print(f"Flow run {prefect.run_url(flow_run_id)}")
    return _follow(prefect, flow_run_id, timeout, step)


@app.command("list")
def list_drills(limit: int = 20, as_json: AsJson = False) -> None:
    """The newest drills with their times and verdicts."""
    open_service()
    with wiring.transaction() as session:
        found = service.recent(session, limit)
    if as_json:
        sys.stdout.write(json.dumps({"drills": [d.to_json() for d in found]}, indent=2) + "\n")
    else:
        out.print(_overview(found) if found else "No drill yet. Start one with `firstuser drill`.")


@app.command("history")
def show_history(
    weeks: Annotated[int, typer.Option(min=1, max=520, help="How far back")] = 26,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the picture: .svg or .png")] = None,
    as_json: AsJson = False,
) -> None:
    """RTO and RPO over time against their targets, failures, and which weeks had a good drill."""
    open_service()
    now = system_clock()
    with wiring.transaction() as session:
        found = history(service.since(session, now - weeks * WEEK), now, weeks)
    if html:
        html.write_text(drill_history.page(found))
    if plot:
        plot.write_bytes(drill_history.plot(found, "png" if plot.suffix == ".png" else "svg"))
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("week of", "good", "bad", "best RTO", "best RPO"):
        table.add_column(column)
    for week in found.weeks:
        good = f"[green]{week.good}[/]" if week.covered else "[red]none[/]"
        table.add_row(
            f"{week.begins:%Y-%m-%d}", good, str(week.bad), _s(week.rto_seconds), _s(week.rpo_seconds)
        )
    out.print(table)
    for drill in found.failures:
        out.print(f"[red]✗[/red] {drill.id} {drill.started_at:%Y-%m-%d %H:%M} {'; '.join(drill.issues)}")
    out.print(found.headline)


@app.command()
def show(drill_id: str, as_json: AsJson = False) -> None:
    """One drill: times, checks, verdict, next step."""
    open_service()
    with wiring.transaction() as session:
        found = service.get(session, drill_id)
        kept = service.kept_copy(session, drill_id)
    url = wiring.database().dsn(kept, "admin") if kept else None
    if as_json:
        sys.stdout.write(json.dumps({**found.to_json(), "copy_url": url}, indent=2) + "\n")
        return
    _print(found)
    if url:
        out.print(f"Look at the copy: psql '{url}'")


@app.command()
def release(drill_id: str, as_json: AsJson = False) -> None:
    """Destroy a copy that was kept for inspection, now."""
    open_service()
    with wiring.drill_lock():
        with wiring.transaction() as session:
            service.release_copy(session, drill_id)
        result = undo.undo(wiring.drilling(), drill_id)
    if as_json:
        sys.stdout.write(json.dumps(result.to_json(), indent=2) + "\n")
    else:
        out.print(result.observed)
    if not result.ok:
        raise typer.Exit(NOT_GOOD)


@app.command()
def sweep(as_json: AsJson = False) -> None:
    """Undo what crashed drills left behind: staging home, copies destroyed."""
    open_service()
    with wiring.drill_lock():
        done = undo.sweep(wiring.drilling())
    if as_json:
        sys.stdout.write(json.dumps({"undone": done}, indent=2) + "\n")
    else:
        out.print("\n".join(done) or "Nothing was left behind.")


def _checks(asked: str) -> list[str]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    if names == ["all"]:
        return [*DEFAULT_CHECKS, *OPTIONAL_CHECKS]
    unknown = sorted(set(names) - {*DEFAULT_CHECKS, *OPTIONAL_CHECKS})
    if unknown:
        known = ", ".join([*DEFAULT_CHECKS, *OPTIONAL_CHECKS])
        raise Refused(f"There is no check {', '.join(unknown)}.", fix=f"Choose from: {known}.")
    return names or list(DEFAULT_CHECKS)


def _follow(prefect: Prefect, flow_run_id: str, timeout: float, step: Step) -> DrillSummary | dict[str, Any]:
    """Wait for the drill's verdict; for a run that ends without a drill, say what Prefect says of it."""
    deadline, shown = monotonic() + timeout, ""
    while monotonic() < deadline:
        state = prefect.last_known(flow_run_id)
        with wiring.transaction() as session:
            found = service.by_flow_run(session, flow_run_id)
        if found is not None and found.finished_at is not None:
            return found
        if state.final:
            return _without_drill(found, f"{state.name}: {state.message}", "Read the run's log in Prefect.")
        now = found.phase if found else f"waiting for a worker ({state.name})"
        if now != shown:
            if not err.is_terminal:
                err.print(f"  {now} …")
            step(now, PHASES.index(now) if now in PHASES else None, len(PHASES))
            shown = now
        sleep(POLL_S)
    raise TimedOut(
        f"The drill had no verdict after {timeout:.0f} s.",
        provider="prefect",
        operation="drill",
        fix=f"Look at {prefect.run_url(flow_run_id)}; is the worker running (`firstuser status`)?",
    )


def _without_drill(found: DrillSummary | None, said: str, fix: str) -> dict[str, Any]:
    """The document of a drill that never came to a verdict."""
    nothing: dict[str, Any] = {
        "id": None,
        "target_time": None,
        "rto_seconds": None,
        "rto_parts": {},
        "rpo_seconds": None,
        "rpo_parts": {},
        "checks": [],
        "flow_run_id": None,
    }
    verdict = {"status": DrillStatus.ERROR.value, "issues": [said], "next_step": fix, "evidence_id": None}
    return {**(found.to_json() if found else nothing), **verdict}


def _print(drill: DrillSummary) -> None:
    out.print(_checks_table(drill))
    parts = "  ".join(f"{name} {value:.1f}" for name, value in drill.rto_parts.items())
    out.print(f"target {drill.target_time or 'not chosen'}   evidence {drill.evidence_id}")
    out.print(f"RTO {_s(drill.rto_seconds)} (target {drill.rto_target:.0f} s)   {parts}")
    out.print(f"RPO {_s(drill.rpo_seconds)} (target {drill.rpo_target:.0f} s)")
    for issue in drill.issues:
        out.print(f"[red]✗[/red] {issue}")
    colour = "green" if drill.status is DrillStatus.PASSED else "red"
    out.print(f"[{colour}]{drill.status.value}[/{colour}] {drill.id}. {drill.next_step}")
    if drill.keep_until:
        out.print(f"The copy {drill.database_name} is kept until {drill.keep_until:%Y-%m-%d %H:%M} UTC.")


def _checks_table(drill: DrillSummary) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("check", "result", "expected", "observed"):
        table.add_column(column, overflow="fold")
    for c in drill.checks:
        colour = COLOURS.get(c.status, "red")
        table.add_row(c.name, f"[{colour}]{c.status.value}[/]", c.expected, c.observed)
    return table


def _overview(drills: Sequence[DrillSummary]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("drill", "started", "by", "status", "RTO", "RPO", "issues"):
        table.add_column(column)
    for d in drills:
        table.add_row(
            d.id,
            f"{d.started_at:%Y-%m-%d %H:%M:%S}",
            d.trigger,
            d.status.value,
            _s(d.rto_seconds),
            _s(d.rpo_seconds),
            "; ".join(d.issues),
        )
    return table


def _s(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
