"""`firstuser bench`: ratios against peers and limits; writes `bench/latest.json`, `latest.md` and pictures in
the state folder. `firstuser bench-compare FILE` shows what has changed since."""

from collections.abc import Callable, Set
from enum import StrEnum
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from api.settings import load
from deployments.local.stack import state_folder
from deployments.printing import print_json
from deployments.progress import Step, showing

NOT_GOOD = 1
GB = 1_000_000_000

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def register(root: typer.Typer) -> None:
    root.command()(bench)
    root.command("bench-compare")(compare)


class Group(StrEnum):
    RESTORE = "restore"
    DRILL = "drill"
    API = "api"
    WEBHOOKS = "webhooks"
    GROWTH = "growth"
    SOAK = "soak"


def bench(
    only: Annotated[list[Group] | None, typer.Option(help="Measure this group; may be repeated")] = None,
    size: Annotated[float, typer.Option(help="GB of data to restore")] = 2.0,
    wal: Annotated[float, typer.Option(help="GB of WAL since the full backup")] = 1.3,
    drill: Annotated[bool, typer.Option(help="Also measure a drill on a scratch stack")] = True,
    largest: Annotated[float, typer.Option(help="GB of data that growth goes up to")] = 1.0,
    minutes: Annotated[float, typer.Option(help="Length of the soak")] = 10,
    smoke: Annotated[
        bool, typer.Option(help="API, webhooks and growth on little data: do they run?")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure restores, archiving, orchestration, the API, webhooks and how cost grows. The soak only when it
    is asked for: minutes of deliveries while dispatchers are killed. Exit code 1 when a goal is missed."""
    from deployments.bench import measures, orchestration, places, restore
    from deployments.bench.growth import measure as growth
    from deployments.bench.service import load as load_generator
    from deployments.bench.service import measure as service
    from deployments.bench.webhooks import measure as webhooks
    from deployments.bench.webhooks import soak

    started = perf_counter()
    wanted = set(only or set(Group) - {Group.SOAK}) - (set() if drill else {Group.DRILL})
    if Group.API in wanted:
        load_generator.program()  # rather now than after minutes of restores

    def say(what: str) -> None:
        err.print(f"[dim]{perf_counter() - started:6.1f} s[/]  {what}")

    found: list[measures.Measurement] = []
    folder = state_folder().root / "bench"
    with showing(err, "bench", quiet=as_json, per_second=1) as step:
        turn = _turns(step, wanted)
        if turn(Group.RESTORE):
            with places.scratch_settings(load(), folder) as (settings, scratch):
                found += restore.measure(settings, scratch, int(size * GB), int(wal * GB), say)
        if turn(Group.DRILL):
            found += orchestration.measure(folder / "stack", say)
        if turn(Group.API):
            with places.scratch_settings(load(), folder) as (settings, scratch):
                sizes = service.SMOKE if smoke else service.Size()
                found += service.measure(settings, scratch, folder, sizes, say)
        if turn(Group.WEBHOOKS):
            with places.scratch_settings(load(), folder) as (settings, scratch):
                found += webhooks.measure(
                    settings, scratch, folder, webhooks.SMOKE if smoke else webhooks.Size(), say
                )
        if turn(Group.GROWTH):
            found += growth.measure(load(), folder, growth.SMOKE if smoke else growth.up_to(largest), say)
        if turn(Group.SOAK):
            with places.scratch_settings(load(), folder) as (settings, scratch):
                found += soak.measure(settings, scratch, minutes, say)
    measures.write(found, folder)
    if as_json:
        print_json({"measurements": [one.to_json() for one in found]})
    else:
        out.print(measures.table(found))
        out.print(f"Written to {folder / 'latest.json'} after {perf_counter() - started:.0f} s.")
    if not all(measurement.met for measurement in found):
        raise typer.Exit(NOT_GOOD)


def _turns(step: Step, wanted: Set[Group]) -> Callable[[Group], bool]:
    """Asks of each group in turn whether it is measured, and shows which one is."""
    begun = count()

    def turn(group: Group) -> bool:
        if group in wanted:
            step(f"bench: {group.value}", next(begun), len(wanted))
        return group in wanted

    return turn


def compare(
    base: Annotated[Path, typer.Argument(help="A latest.json from before")],
    now: Annotated[Path | None, typer.Option(help="Against this one; the newest without")] = None,
    as_json: AsJson = False,
) -> None:
    """What has changed between two benches, as ratios. Exit code 1 when a goal that was met is missed."""
    from deployments.bench import comparison

    newest = now or state_folder().root / "bench" / "latest.json"
    changes = comparison.compare(comparison.read(base), comparison.read(newest))
    if as_json:
        print_json({"changes": [change.to_json() for change in changes]})
    else:
        out.print(comparison.table(changes))
    if any(change.lost for change in changes):
        raise typer.Exit(NOT_GOOD)
