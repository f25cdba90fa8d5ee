"""`firstuser env check`: the settings as a start would judge them, without starting anything."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.core.errors import NotFound
from api.settings.check import Checked, check

NOT_GOOD = 1

app = typer.Typer(help="The settings of this environment.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="env")


@app.callback()
def group() -> None:
    """The settings of this environment."""


@app.command("check")
def check_settings(
    file: Annotated[
        Path | None, typer.Option("--file", help="KEY=VALUE lines; the environment counts over them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Say all that is wrong with the settings, never a value. Exit code 1 when a start would refuse."""
    if file is not None and not file.is_file():
        raise NotFound(f"There is no file {file}.", fix="Name a file of KEY=VALUE lines.")
    checked = check(file)
    if as_json:
        sys.stdout.write(json.dumps(document(checked), indent=2) + "\n")
    else:
        _print(checked)
    if checked.problems:
        raise typer.Exit(NOT_GOOD)


def document(checked: Checked) -> dict[str, object]:
    return {
        "ok": not checked.problems,
        "environment": checked.settings.service.env,
        "problems": [asdict(problem) for problem in checked.problems],
    }


def _print(checked: Checked) -> None:
    if not checked.problems:
        out.print(f"[green]✓[/green] The settings are good for {checked.settings.service.env}.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("setting", "what is wrong", "what to do"):
        table.add_column(column)
    for problem in checked.problems:
        table.add_row(f"[red]{problem.name}[/red]", problem.what, problem.fix)
    out.print(table)
