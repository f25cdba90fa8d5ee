"""`firstuser providers check`: whether each configured vendor lets us do what we need, seen by reading."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.providers.configured import Access, accesses
from api.settings.check import check
from deployments.printing import print_json, table

NOT_GOOD = 1

app = typer.Typer(help="The vendors that the settings name.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False)
_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]?[/yellow]"}


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="providers")


@app.callback()
def group() -> None:
    """The vendors that the settings name."""


@app.command("check")
def check_providers(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Try the credentials of every configured vendor, read-only. Exit code 1 when something is missing.

    What nothing short of doing it would show has a question mark; docs/providers says which rights each
    vendor has to give."""
    found = accesses(check().settings)
    if as_json:
        print_json(document(found))
    else:
        _print(found)
    if not all(one.ok for one in found):
        raise typer.Exit(NOT_GOOD)


def document(found: list[Access]) -> dict[str, object]:
    return {
        "ok": all(one.ok for one in found),
        "vendors": [
            {
                "area": one.area,
                "vendor": one.vendor,
                "ok": one.ok,
                "permissions": [
                    {"what": may.what, "ok": may.ok, "observed": may.observed, "fix": may.fix}
                    for may in one.permissions
                ],
            }
            for one in found
        ],
    }


def _print(found: list[Access]) -> None:
    shown = table(("area", "vendor", "", "has to", "seen", "what to do"))
    for one in found:
        if not one.permissions:
            shown.add_row(one.area, one.vendor, _MARKS[True], "", "needs none, or tells nothing", "")
        for may in one.permissions:
            texts = (may.what, may.observed, may.fix)
            shown.add_row(one.area, one.vendor, _MARKS[may.ok], *(escape(text) for text in texts))
    out.print(shown)
