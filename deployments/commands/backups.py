"""`firstuser backups`: what can be restored, and to which moments. `backups take`, `backups verify ID`."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.core.ports import Backup, RestorePoint
from deployments.local.stack import open_stack
from deployments.progress import reporting, showing
from flows import wiring

WIDE = 160  # columns where nobody's terminal sets the width

app = typer.Typer(help="Backups: list restore points, take or verify one.", invoke_without_command=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="backups")


@app.callback()
def backups(context: typer.Context, as_json: AsJson = False) -> None:
    """List the restore points and the moments that each can reach."""
    if context.invoked_subcommand is not None:
        return
    open_stack()
    points = wiring.database().restore_points()
    gaps = [str(gap) for gap in wiring.backup_keeper().wal_gaps()]
    if as_json:
        document = {"restore_points": [_document(point) for point in points], "wal_gaps": gaps}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    out.print(_table(points) if points else "No backup yet. Take one: `firstuser backups take --kind full`.")
    for gap in gaps:
        out.print(f"[red]WAL gap:[/red] {gap}")


@app.command()
def take(
    kind: Annotated[str, typer.Option(help="auto, full or incremental")] = "auto", as_json: AsJson = False
) -> None:
    """Take a base backup now; it counts once it is verified and stored."""
    open_stack()
    with showing(err, f"{kind} backup", quiet=as_json) as step:
        taken = wiring.backup_keeper().take_backup(kind, reporting(step))
    if as_json:
        _print_verified(taken)
        return
    out.print(f"{taken.id} ({taken.kind}, {_size(taken.size_bytes)}), verified {_moment(taken.verified_at)}")


@app.command()
def verify(backup_id: str, as_json: AsJson = False) -> None:
    """Check a backup's files against its manifest again."""
    open_stack()
    with showing(err, f"{backup_id}: held against its manifest", quiet=as_json) as step:
        verified = wiring.backup_keeper().verify_backup(backup_id, reporting(step))
    if as_json:
        _print_verified(verified)
        return
    out.print(f"{verified.id} is whole, verified {_moment(verified.verified_at)}")


def _print_verified(backup: Backup) -> None:
    verified_at = backup.verified_at.isoformat() if backup.verified_at else None
    document = {"id": backup.id, "kind": backup.kind, "size_bytes": backup.size_bytes}
    sys.stdout.write(json.dumps({**document, "verified_at": verified_at}, indent=2) + "\n")


def _document(point: RestorePoint) -> dict[str, object]:
    return {
        "id": point.id,
        "kind": point.kind,
        "earliest": point.earliest.isoformat(),
        "latest": point.latest.isoformat() if point.latest else None,
        "size_bytes": point.size_bytes,
        "chain": list(point.chain),
        "verified_at": point.verified_at.isoformat() if point.verified_at else None,
    }


def _table(points: Sequence[RestorePoint]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("restore point", "kind", "reaches from", "to", "size", "verified"):
        table.add_column(column, no_wrap=True)
    for point in points:
        table.add_row(
            point.id,
            point.kind,
            _moment(point.earliest),
            _moment(point.latest),
            _size(point.size_bytes),
            _moment(point.verified_at),
        )
    return table


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _size(count: int) -> str:
    return f"{count / 1_048_576:.1f} MB"
