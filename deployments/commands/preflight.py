"""`firstuser preflight`: run the go-live preflight, print its verdict with why and what to do next.

`preflight list`, `show ID`, `rehearse`, `waive CHECK`, `waivers`, `approve ID`, `unwaive ID`.
Exit codes: 0 GO, 4 GO with warnings or waivers, 3 NO-GO, 2 bad configuration, 1 the tool itself failed.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from api.core.clock import system_clock
from api.core.errors import FirstUserError, NotFound, ProviderError, Refused, TimedOut
from api.core.ids import new_id
from api.core.preflight import exports, report, service, waivers
from api.core.preflight.records import HOLDS, Result, State, Verdict
from api.core.preflight.service import Preflight
from api.providers.orchestration.prefect import Prefect
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from deployments.progress import Step, showing
from flows import wiring

DEPLOYMENT = "preflight/preflight"
REHEARSAL = "rehearse-rollback/rehearse-rollback"
EXIT_CODES = {Verdict.GO: 0, Verdict.WARNINGS: 4, Verdict.NO_GO: 3}
TOOL_FAILED, BAD_CONFIGURATION = 1, 2
POLL_S = 0.25
WIDE = 180  # columns where nobody's terminal sets the width
COLOURS = {State.PASS: "green", State.WARN: "yellow", State.WAIVED: "yellow", State.SKIP: "dim"}

app = typer.Typer(help="Go-live preflight: is everything in place?", invoke_without_command=True)
out = Console(soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
By = Annotated[str, typer.Option(help="Who does it, for the record")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="preflight")


@dataclass(frozen=True, slots=True)
class Papers:
    """Where the report is written to, besides the terminal."""

    junit: Path | None
    html: Path | None

    def write(self, run: Preflight) -> None:
        if self.junit:
            self.junit.write_bytes(exports.junit(run))
        if self.html:
            self.html.write_text(exports.html(run, wiring.settings().alerts.runbooks_url))


@app.callback()
def preflight(
    context: typer.Context,
    production_url: Annotated[str, typer.Option(help="What is judged; PUBLIC_APP_URL without")] = "",
    staging_url: Annotated[str, typer.Option(help="What has to mirror it")] = "",
    database: Annotated[str, typer.Option(help="The database provider; the configured one without")] = "",
    hosting: Annotated[str, typer.Option(help="The hosting provider; the configured one without")] = "",
    sign_off: Annotated[bool, typer.Option(help="After a GO, wait for the release owner's word")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML there")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one HTML page there")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the verdict")] = 900,
    as_json: AsJson = False,
) -> None:
    """Run every check and wait for the verdict. 0 GO, 4 GO with warnings or waivers, 3 NO-GO."""
    if context.invoked_subcommand is not None:
        return
    parameters = {
        "production_url": production_url,
        "staging_url": staging_url,
        "database_provider": database,
        "hosting_provider": hosting,
        "sign_off": sign_off,
        "trigger": "cli",
    }
    _exit(lambda: _run(parameters, timeout, Papers(junit, html), as_json))


@app.command("list")
def list_runs(limit: int = 20, as_json: AsJson = False) -> None:
    """The newest runs with their verdicts, and whether their GO still stands."""
    open_service()
    with wiring.transaction() as session:
        found = service.recent(session, limit)
    if as_json:
        print_json({"preflights": [run.to_json() for run in found]})
        return
    shown = table(("preflight", "started", "verdict", "headline"))
    for run in found:
        verdict = run.verdict.value if run.verdict else run.status
        shown.add_row(run.id, f"{run.started_at:%Y-%m-%d %H:%M}", verdict, escape(run.headline))
    out.print(shown if found else "No preflight yet. Start one with `firstuser preflight`.")


@app.command()
def show(preflight_id: str, as_json: AsJson = False) -> None:
    """One run. Exit code as when it was run."""

    def look() -> int:
        open_service()
        with wiring.transaction() as session:
            run = service.get(session, preflight_id)
        return _conclude(run, Papers(None, None), as_json)

    _exit(look)


@app.command()
def waive(
    check: str,
    reason: Annotated[str, typer.Option(help="Why a launch may go without it")],
    by: By,
    days: Annotated[float, typer.Option(help="How long; 7 at most")] = 1,
    as_json: AsJson = False,
) -> None:
    """Ask for a waiver. It holds once somebody else approves it."""
    open_service()
    with wiring.transaction() as session:
        made = waivers.request(session, check, reason, by, timedelta(days=days), system_clock())
    if as_json:
        print_json({"id": made})
    else:
        out.print(f"{made} waits for approval: `firstuser preflight approve {made} --by NAME`.")


@app.command()
def approve(waiver_id: str, by: By, as_json: AsJson = False) -> None:
    """Approve a waiver that somebody else has asked for."""
    open_service()
    with wiring.transaction() as session:
        waivers.approve(session, waiver_id, by, system_clock())
    if as_json:
        print_json({"id": waiver_id, "approved_by": by})
        return
    out.print(f"{waiver_id} is approved by {escape(by)}. A GO from before is void: run the preflight again.")


@app.command()
def unwaive(waiver_id: str, by: By, as_json: AsJson = False) -> None:
    """End a waiver early."""
    open_service()
    with wiring.transaction() as session:
        waivers.end(session, waiver_id, by, system_clock())
    if as_json:
        print_json({"id": waiver_id, "ended_by": by})
        return
    out.print(f"{waiver_id} has ended.")


@app.command()
def rehearse(
    timeout: Annotated[float, typer.Option(help="Seconds to wait")] = 600, as_json: AsJson = False
) -> None:
    """Rehearse the rollback on staging. Exit code 0 only when it went back and forth."""
    _exit(lambda: _rehearse(timeout, as_json))


def _rehearse(timeout: float, as_json: bool) -> int:
    settings = open_service()
    prefect = Prefect.from_settings(settings.service)
    flow_run_id = prefect.start(REHEARSAL, {}, idempotency_key=new_id("cli"))
    err.print(f"Flow run {prefect.run_url(flow_run_id)}")
    deadline = monotonic() + timeout
    with showing(err, "rehearsal", quiet=as_json) as step:
        while not (state := prefect.last_known(flow_run_id)).final:
            step(f"rehearsal: {state.name.lower()}")
            if monotonic() > deadline:
                raise TimedOut(
                    f"It did not end in {timeout:.0f} s.",
                    provider="prefect",
                    operation="rehearse",
                    fix="Look there.",
                )
            sleep(POLL_S)
    if as_json:
        print_json({"flow_run_id": flow_run_id, "state": state.name, "message": state.message})
    else:
        out.print(f"{state.name}: {escape(state.message)}")
    return 0 if state.name == "Completed" else TOOL_FAILED


@app.command("waivers")
def list_waivers(as_json: AsJson = False) -> None:
    """Waivers that were asked for or hold."""
    open_service()
    now = system_clock()
    with wiring.transaction() as session:
        found = waivers.current(session, now)
    if as_json:
        print_json({"waivers": [one.to_json() | {"holds": one.holds(now)} for one in found]})
        return
    shown = table(("waiver", "check", "until", "asked for by", "approved by", "reason"))
    for one in found:
        cells = (one.id, one.check, f"{one.expires_at:%Y-%m-%d %H:%M}", one.requester, one.approver or "–")
        shown.add_row(*(escape(cell) for cell in (*cells, one.reason)))
    out.print(shown if found else "No waiver.")


def _exit(act: Callable[[], int]) -> None:
    """The command's own codes: a refusal is about what was asked for, anything else is the tool's failure."""
    try:
        code = act()
    except ValidationError:
        raise
    except FirstUserError as error:
        err.print(f"[red]{error.code}:[/red] {escape(error.message)}")
        if error.fix:
            err.print(f"  → {escape(error.fix)}")
        ours = isinstance(error, (Refused, NotFound))
        code = BAD_CONFIGURATION if ours and not isinstance(error, ProviderError) else TOOL_FAILED
    if code:
        raise typer.Exit(code)


def _run(parameters: Mapping[str, object], timeout: float, papers: Papers, as_json: bool) -> int:
    settings = open_service()
    for path in (papers.junit, papers.html):
        if path and not path.absolute().parent.is_dir():
            raise Refused(f"There is no folder {path.absolute().parent}.", fix="Name a file in one that is.")
    _check_target(parameters)
    prefect = Prefect.from_settings(settings.service)
    flow_run_id = prefect.start(DEPLOYMENT, parameters, idempotency_key=new_id("cli"))
    err.print(f"Flow run {prefect.run_url(flow_run_id)}")
    with showing(err, "preflight", quiet=as_json) as step:
        run = _follow(prefect, flow_run_id, timeout, step)
    return _conclude(run, papers, as_json)


def _check_target(parameters: Mapping[str, object]) -> None:
    """Here already, where the answer is at once. Raises `Refused`."""
    from flows.preflight_looks import target

    names = ("production_url", "staging_url", "database_provider", "hosting_provider")
    target(*(str(parameters[name]) for name in names))


def _follow(prefect: Prefect, flow_run_id: str, timeout: float, step: Step) -> Preflight:
    """Print results as they come, until there is a verdict. Raises `TimedOut`, `Rejected` for a dead run."""
    deadline, told = monotonic() + timeout, set[str]()
    while monotonic() < deadline:
        with wiring.transaction() as session:
            run = service.by_flow_run(session, flow_run_id)
        if run is not None:
            for result in run.results:
                if result.name not in told:
                    told.add(result.name)
                    err.print(_line(result))
            if run.status != "running":
                return run
            checks = len(run.results) + len(run.running) + len(run.waiting)
            step(", ".join(run.running) or "checks", len(run.results), checks)
        state = prefect.last_known(flow_run_id)
        if state.final and (run is None or run.status == "running"):
            said = f"The flow run ended as {state.name} without a verdict. {state.message}".strip()
            raise TimedOut(said, provider="prefect", operation="preflight", fix="Read the run's log.")
        sleep(POLL_S)
    raise TimedOut(
        f"There was no verdict after {timeout:.0f} s.",
        provider="prefect",
        operation="preflight",
        fix="See whether the worker runs: `firstuser status`.",
    )


def _conclude(run: Preflight, papers: Papers, as_json: bool) -> int:
    papers.write(run)
    if as_json:
        print_json(run.to_json())
    else:
        _print(run)
    return EXIT_CODES[run.verdict] if run.verdict else TOOL_FAILED


def _print(run: Preflight) -> None:
    shown = table(("check", "result", "observed", "expected", "owner"))
    for name, state, *cells in report.rows(run.results):
        holds = any(state == report.MARKS[one] for one in HOLDS)
        colour = "green" if state == report.MARKS[State.PASS] else "yellow" if holds else "red"
        shown.add_row(escape(name), f"[{colour}]{state}[/]", *(escape(cell) for cell in cells))
    out.print(shown)
    out.print("Not checked:")
    for line in run.not_checked:
        out.print(f"  – {escape(line)}")
    good = run.verdict in {Verdict.GO, Verdict.WARNINGS}
    out.print(f"\n[{'green' if good else 'red'}]{escape(run.headline)}[/]")
    out.print(f"Next step: {escape(run.next_step)}")
    out.print(f"{run.id} · release {escape(run.binding.release)} · configuration {run.binding.configuration}")


def _line(result: Result) -> str:
    colour = COLOURS.get(result.state, "red")
    return f"  [{colour}]{report.MARKS[result.state]}[/] {result.name}  [dim]{result.seconds:.1f} s[/]"
