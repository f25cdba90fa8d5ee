"""`firstuser rotate`: which secrets there are and when they are due, rotating them, and the way back.

`rotate plan` · `rotate run NAME… | --due` (`--incident` ends the old ones at once) · `rotate status [ID]` ·
`rotate retire ID` · `rotate rollback ID` · `rotate finish`. The same function as the founders' buttons and
the flow. Exit code 1 when something was not proven.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.core.clock import system_clock
from api.core.errors import Refused
from api.core.rotation import service
from api.core.rotation.cadence import Dated
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.rotating import Rotated
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from deployments.progress import showing
from flows import rotation_run, wiring

WIDE = 160  # columns where nobody's terminal sets the width
NOT_GOOD = 1
BY = "cli"

app = typer.Typer(help="Rotate secrets by overlap, with proof.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="rotate")


@app.command()
def plan(as_json: AsJson = False) -> None:
    """Every secret with its age and due date, and who used it in the last 24 hours. No value is shown."""
    open_service()
    now, rows = system_clock(), wiring.rotations().standing()
    if as_json:
        print_json({"secrets": [_document(row, now) for row in rows]})
        return
    shown = [
        (
            row.held.name,
            row.held.label,
            f"{row.age.days} d" if row.age else "not known",
            f"{row.due_at:%Y-%m-%d}" if row.due_at else "now",
            "[red]due[/red]" if row.due(now) else "[yellow]soon[/yellow]" if row.soon(now) else "",
            ", ".join(row.held.users) or "nobody",
        )
        for row in rows
    ]
    out.print(table(("secret", "what", "age", "due", "", "used in the last 24 hours by"), shown))


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help="As `rotate plan` names them")] = None,
    due: Annotated[bool, typer.Option("--due", help="Everything that is due")] = False,
    incident: Annotated[bool, typer.Option("--incident", help="The old ones end at once")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record; an incident needs it")] = "",
    grace: Annotated[float | None, typer.Option(help="Seconds that the old ones go on working")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print a partner's new value, once")] = False,
    force: Annotated[bool, typer.Option(help="Although an earlier rotation's grace still runs")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Rotate: mint, store, reload, prove; the old ones end with their grace. Without --show a partner's new
    value waits on its Integrate page."""
    open_service()
    mode = "incident" if incident else "scheduled"
    if bool(names) == due:
        raise Refused("Nothing says what is to be rotated.", fix="Name secrets, or say --due.")
    if incident and (due or not reason.strip()):
        raise Refused("An incident names its secrets and says why.", fix="Give names and --reason.")
    planned = rotation_run.plan(mode, names or [])
    for one in planned.planned:
        err.print(f"{one.row.held.name}: {one.why}; used by {one.blast}")
    if incident and not yes:
        typer.confirm("End the old versions now?", abort=True, err=True)
    how = Mode.INCIDENT if incident else Mode.ASKED if show else Mode.SCHEDULED
    length = None if grace is None else timedelta(seconds=grace)
    made: list[Rotated] = []
    with showing(err, "rotating", quiet=as_json, total=len(planned.names)) as step:
        for place, name in enumerate(planned.names):
            step(f"{name}: mint, store, reload, prove", place)
            made.append(
                wiring.rotations().rotate(
                    name, mode=how, by=BY, shown=show, reason=reason, grace=length, forced=force
                )
            )
    _tell(made, as_json)


@app.command()
def status(
    rotation_id: Annotated[str | None, typer.Argument(help="One rotation, with what was tried")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest rotations, or one with its proofs."""
    open_service()
    now = system_clock()
    with wiring.transaction() as session:
        one = service.get(session, rotation_id) if rotation_id else None
        found = [one] if one else service.recent(session, limit)
    if as_json:
        print_json({"rotations": [each.to_json(now) for each in found]})
    elif one:
        _print(one, now)
    elif found:
        out.print(_overview(found, now))
    else:
        out.print("Nothing was ever rotated. `firstuser rotate plan` says what is due.")


@app.command()
def rollback(rotation_id: str, as_json: AsJson = False) -> None:
    """The old one is first choice again, the new one goes. Until the old one has ended."""
    open_service()
    _tell([Rotated(wiring.rotations().machine.roll_back(rotation_id, BY), None)], as_json)


@app.command()
def retire(rotation_id: str, as_json: AsJson = False) -> None:
    """End the overlap now: nobody needs the old one any more. Then prove that it is refused."""
    open_service()
    _tell([Rotated(wiring.rotations().end_overlap(rotation_id, BY), None)], as_json)


@app.command()
def finish(as_json: AsJson = False) -> None:
    """Go on with everything under way: what was interrupted, what is past its grace."""
    open_service()
    ids = rotation_run.finish()
    machine = wiring.rotations().machine
    _tell([Rotated(machine.get(one), None) for one in ids], as_json)


def _tell(made: Sequence[Rotated], as_json: bool) -> None:
    now = system_clock()
    if as_json:
        rows = [{**one.rotation.to_json(now), "value": one.plaintext} for one in made]
        print_json({"rotations": rows})
    else:
        for one in made:
            _print(one.rotation, now)
            if one.plaintext:
                out.print(f"  shown once: {one.plaintext}", markup=False)
        if not made:
            out.print("Nothing is under way.")
    if any(one.rotation.problem for one in made):
        raise typer.Exit(NOT_GOOD)


def _print(one: RotationView, now: datetime) -> None:
    out.print(
        f"[bold]{one.name}[/bold] {one.id}: version {one.from_version} → {one.to_version}, {one.phase(now)}"
    )
    for proof in one.proofs:
        sign = "[green]✓[/green]" if proof["ok"] else "[red]✕[/red]" if proof["required"] else "–"
        out.print(f"  {sign} {proof['step']}: {proof['name']}: ", end="")
        out.print(str(proof["observed"]), markup=False)
    if one.problem:
        err.print(f"  [red]not proven:[/red] {one.problem}")
    elif wait := one.waits(now):
        until = f" until {one.rests_until:%Y-%m-%d %H:%M} UTC" if one.rests_until else ""
        out.print(f"  rests: {wait.value}{until}")


def _overview(found: Sequence[RotationView], now: datetime) -> Table:
    rows = [
        (
            one.id,
            one.name,
            f"{one.from_version} → {one.to_version}",
            one.mode.value,
            one.phase(now),
            f"{one.started_at:%Y-%m-%d %H:%M}",
            one.asked_by,
            one.problem,
        )
        for one in found
    ]
    return table(("rotation", "secret", "version", "mode", "phase", "begun", "by", "problem"), rows)


def _document(row: Dated, now: datetime) -> dict[str, Any]:
    return {
        **asdict(row.held),
        "age_days": row.age.days if row.age else None,
        "due_at": row.due_at,
        "due": row.due(now),
        "share_of_cadence": round(row.share, 3),
    }
