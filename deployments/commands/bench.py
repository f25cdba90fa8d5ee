"""`firstuser bench`: ratios against peers and limits; writes `bench/latest.json` in the state folder."""

from enum import StrEnum
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


class Group(StrEnum):
    RESTORE = "restore"
    DRILL = "drill"
    API = "api"
    WEBHOOKS = "webhooks"
    SOAK = "soak"


def bench(
    only: Annotated[list[Group] | None, typer.Option(help="Measure this group; may be repeated")] = None,
    size: Annotated[float, typer.Option(help="GB of data to restore")] = 2.0,
    wal: Annotated[float, typer.Option(help="GB of WAL since the full backup")] = 1.3,
    drill: Annotated[bool, typer.Option(help="Also measure a drill on a scratch stack")] = True,
    minutes: Annotated[float, typer.Option(help="Length of the soak")] = 10,
    smoke: Annotated[bool, typer.Option(help="API and webhooks on little data: do they run?")] = False,
) -> None:
    """Measure restores, archiving, orchestration, the API and webhooks. The soak only when it is asked for:
    minutes of deliveries while dispatchers are killed. Exit code 1 when a goal is missed."""
    from deployments.bench import measures, orchestration, places, restore
    from deployments.bench.service import load as load_generator
    from deployments.bench.service import measure as service
    from deployments.bench.webhooks import measure as webhooks
    from deployments.bench.webhooks import soak

    started = perf_counter()
    wanted = set(only or set(Group) - {Group.SOAK})
    if Group.API in wanted:
        load_generator.program()  # rather now than after minutes of restores

    def say(what: str) -> None:
        err.print(f"[dim]{perf_counter() - started:6.1f} s[/]  {what}")

    found: list[measures.Measurement] = []
    folder = state_folder().root / "bench"
    if Group.RESTORE in wanted:
        with places.scratch_settings(load(), folder) as (settings, scratch):
            found += restore.measure(settings, scratch, int(size * GB), int(wal * GB), say)
    if Group.DRILL in wanted and drill:
        found += orchestration.measure(folder / "stack", say)
    if Group.API in wanted:
        with places.scratch_settings(load(), folder) as (settings, scratch):
            sizes = service.SMOKE if smoke else service.Size()
            found += service.measure(settings, scratch, folder, sizes, say)
    if Group.WEBHOOKS in wanted:
        with places.scratch_settings(load(), folder) as (settings, scratch):
            found += webhooks.measure(
                settings, scratch, folder, webhooks.SMOKE if smoke else webhooks.Size(), say
            )
    if Group.SOAK in wanted:
        with places.scratch_settings(load(), folder) as (settings, scratch):
            found += soak.measure(settings, scratch, minutes, say)
    measures.write(found, folder / "latest.json")
    out.print(measures.table(found))
    out.print(f"Written to {folder / 'latest.json'} after {perf_counter() - started:.0f} s.")
    if not all(measurement.met for measurement in found):
        raise typer.Exit(NOT_GOOD)
