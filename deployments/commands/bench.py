"""`firstuser bench`: ratios against peers and limits; writes `bench/latest.json` in the state folder."""

from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from api.settings import load
from deployments.local.stack import state_folder

NOT_GOOD = 1
GB = 1_000_000_000

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, highlight=False)


def register(root: typer.Typer) -> None:
    root.command()(bench)


def bench(
    size: Annotated[float, typer.Option(help="GB of data to restore")] = 2.0,
    wal: Annotated[float, typer.Option(help="GB of WAL since the full backup")] = 1.3,
    drill: Annotated[bool, typer.Option(help="Also measure a drill on a scratch stack")] = True,
) -> None:
    """Measure restores, archiving and orchestration. Exit code 1 when a goal is missed."""
    from deployments.bench import measures, orchestration, places, restore

    started = perf_counter()

    def say(what: str) -> None:
        err.print(f"[dim]{perf_counter() - started:6.1f} s[/]  {what}")

    found: list[measures.Measurement] = []
    folder = state_folder().root / "bench"
    with places.scratch_settings(load(), folder) as (settings, scratch):
        found += restore.measure(settings, scratch, int(size * GB), int(wal * GB), say)
    if drill:
        found += orchestration.measure(folder / "stack", say)
    measures.write(found, folder / "latest.json")
    out.print(measures.table(found))
    out.print(f"Written to {folder / 'latest.json'} after {perf_counter() - started:.0f} s.")
    if not all(measurement.met for measurement in found):
        raise typer.Exit(NOT_GOOD)
