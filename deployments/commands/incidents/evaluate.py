"""`firstuser incidents evaluate FILE`: the verdict of every minute of series that are written in a file."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.core.errors import Refused
from api.core.incidents import cases
from api.core.incidents.cases import Replayed

NOT_GOOD = 1
USAGE = 2
out = Console(soft_wrap=True, highlight=False, markup=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def evaluate(
    file: Annotated[str, typer.Argument(help="Series in the notation of the acceptance cases; - for stdin")],
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 unless everything is as the file expects")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A list of {name, first_trip, verdicts} on stdout, nothing else.")
    ] = False,
) -> None:
    """Evaluate R1 over the series in FILE. Needs no stack. Exit code 2 for a file of another notation."""
    try:
        replayed = [cases.replay(case) for case in cases.read(_text(file))]
    except Refused as error:
        err.print(f"{file}: {error.message}\n  → {error.fix}")
        raise typer.Exit(USAGE) from error
    if as_json:
        sys.stdout.write(json.dumps([one.document() for one in replayed]) + "\n")
    else:
        _print(replayed)
    surprises = [f"{one.case.name}: {what}" for one in replayed for what in one.surprises()]
    for one in surprises if check or not as_json else []:
        err.print(one)
    if check and surprises:
        raise typer.Exit(NOT_GOOD)


def _text(file: str) -> str:
    """Raises `Refused`."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Refused(
            f"The file cannot be read: {reason}.", fix="Name a JSON file, or - for stdin."
        ) from error


def _print(replayed: list[Replayed]) -> None:
    table = Table("case", "minutes", "first trip", "at the end", "as expected", box=None, pad_edge=False)
    for one in replayed:
        last = one.verdicts[-1].value if one.verdicts else "–"
        good = "no" if one.surprises() else "yes"
        table.add_row(one.case.name, str(len(one.verdicts)), str(one.first_trip or "–"), last, good)
    out.print(table)
