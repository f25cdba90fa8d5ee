"""`firstuser reencrypt`: bring stored data to the current data key. Stop it at any time: it goes on later."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from api.core.ports import Progress
from api.core.rotation.reencryption import Standing
from deployments.local.stack import open_service
from flows import reencryption

WIDE = 160  # columns where nobody's terminal sets the width
INCOMPLETE = 1

out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
errors = Console(stderr=True, highlight=False)


def register(root: typer.Typer) -> None:
    root.command()(reencrypt)


def reencrypt(
    check: Annotated[bool, typer.Option(help="Only count what waits for the current key.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Seal personal data and webhook secrets anew with FIRSTUSER_DATA_KEY, and prove that the previous key is
    needed no more. Exit code 1 while something still waits for it."""
    open_service()
    if check:
        found = reencryption.standings()
        _say_standings(found, as_json)
        raise typer.Exit(INCOMPLETE if any(one.waiting for one in found) else 0)
    with _Shown(quiet=as_json) as shown:
        done = reencryption.reencrypt_now(shown)
    if as_json:
        out.print_json(json.dumps(done.document()))
    else:
        _say(done)
    if not done.complete:
        raise typer.Exit(INCOMPLETE)


def _say(done: reencryption.Reencrypted) -> None:
    proof = done.proof
    out.print(f"{done.moved.rows} rows sealed anew.")
    out.print(f"{proof.opened} of {proof.sampled} sampled rows open with the current key alone.")
    for name in sorted({*done.moved.unreadable, *proof.unlike}):
        out.print(f"[red]not readable:[/red] {name}")
    for one in proof.standings:
        if one.waiting:
            out.print(f"[red]{one.table}: {one.waiting} of {one.rows} rows wait.[/red] Run it again.")


def _say_standings(found: Sequence[Standing], as_json: bool) -> None:
    if as_json:
        rows = {one.table: {"rows": one.rows, "waiting": one.waiting} for one in found}
        out.print_json(json.dumps(rows))
        return
    for one in found:
        out.print(f"{one.table:<18} {one.rows:>9} rows   {one.waiting:>9} wait for the current key")


class _Shown(Bars):
    """A bar per table, on a terminal's stderr."""

    def __init__(self, *, quiet: bool) -> None:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        super().__init__(*columns, console=errors, disable=quiet or not errors.is_terminal)
        self._known: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.phase not in self._known:
            self._known[progress.phase] = self.add_task(progress.phase, total=progress.total)
        self.update(self._known[progress.phase], completed=progress.done, total=progress.total)
