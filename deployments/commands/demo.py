"""`firstuser demo`: the main job on a scratch stack, from an empty folder to a proven restore.

Starts the stack, seeds it, lets traffic run, backs up, destroys a table after the moment to go back to,
drills to just before it, and shows that the row is there and the damage is not. Ends what it started.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any, LiteralString

import psycopg
import typer
from rich.console import Console

from deployments import chaos
from deployments.chaos import Proof
from deployments.printing import print_json
from deployments.progress import Step, showing
from deployments.stage import Stage

NOT_GOOD = 1
SCALE = 0.5
CHAOS_SCALE = 0.05
TRAFFIC_SECONDS = 8
ROW = "demo-witness"

out = Console(soft_wrap=True, highlight=False)


def register(root: typer.Typer) -> None:
    root.command()(demo)


class Scenario(StrEnum):
    RESTORE = "restore"
    INCIDENT = "incident"


def demo(
    scenario: Annotated[Scenario, typer.Option(help="What is shown")] = Scenario.RESTORE,
    keep: Annotated[bool, typer.Option(help="Leave the scratch stack running to look at it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; the story on stderr.")] = False,
) -> None:
    """Back up, break, restore and prove it on a scratch stack; exit code 0 only when all of it is true.

    The scenario `incident` is a day on which everything goes wrong, in minutes."""
    out.stderr = as_json
    folder = Path("var/demo").absolute()
    incident = scenario is Scenario.INCIDENT
    unasked = {} if keep else {"FIRSTUSER_SCHEDULES": "off"}  # in a demo of a minute nobody would see it
    stage = Stage(folder, CHAOS_SCALE, **chaos.settings()) if incident else Stage(folder, SCALE, **unasked)
    started = monotonic()
    stage.clear()
    try:
        with showing(out, "a day on which everything goes wrong", quiet=as_json) as step:
            told = Told({}, chaos.Day(stage, out.print).live_through()) if incident else play(stage, step)
    finally:
        if not keep:
            stage.firstuser("down", quiet=True)
    _tell(told, monotonic() - started, again=not incident)
    if keep:
        out.print(
            f"\nThe stack goes on: FIRSTUSER_STATE_DIR={folder} firstuser status (and `firstuser down`)."
        )
    if as_json:
        print_json({"drill": told.drill, "proofs": [asdict(proof) for proof in told.proofs]})
    if not all(proof.true for proof in told.proofs):
        raise typer.Exit(NOT_GOOD)


@dataclass(slots=True)
class Told:
    drill: Mapping[str, Any]
    proofs: list[Proof] = field(default_factory=list[Proof])


def play(stage: Stage, step: Step) -> Told:
    """The story, step by step."""
    chapters = iter(range(4))

    def chapter(said: str) -> None:
        done = next(chapters)
        step(said, done, 4)
        out.print(f"[bold]{done + 1}  {said}[/]")

    chapter("The stack, from an empty folder")
    document = json.loads(stage.must("up", "--json"))
    source = stage.admin_url

    chapter(f"Traffic for {TRAFFIC_SECONDS} s while a backup is taken")
    traffic = stage.traffic(document["addresses"]["api"], TRAFFIC_SECONDS)
    out.print(f"   {traffic.stdout.strip()}")
    out.print(f"   {stage.must('backups', 'take', '--kind', 'incremental').strip()}")

    chapter("A row is written, then a table is destroyed")
    moment, rows_before = _witness_then_damage(source)
    out.print(f"   row `{ROW}` committed; [red]DROP TABLE grants[/] after {moment.isoformat()}")

    chapter("Restore drill to just before it")
    answer = stage.firstuser("drill", "--target", moment.isoformat(), "--keep-minutes", "30", "--json")
    told = Told(json.loads(answer.stdout))
    told.proofs.append(
        Proof("the drill passed", told.drill["status"] == "passed", "; ".join(told.drill["issues"]) or "yes")
    )
    if told.drill["id"] is not None:
        _prove(stage, told, source, rows_before)
    return told


def _witness_then_damage(source: str) -> tuple[datetime, int]:
    """Commit a row, remember the moment and what a table holds, then drop the table."""
    with psycopg.connect(source, autocommit=True) as production:
        production.execute(
            "INSERT INTO entries (id, space_id, external_user_id, referral_code, ordinal, rank)"
            " SELECT 'wle_' || %s, id, %s, %s, 0, 0 FROM spaces ORDER BY created_at LIMIT 1",
            (ROW, ROW, ROW),
        )
        sleep(1)
        moment, grants = _row(production, "SELECT clock_timestamp(), count(*) FROM grants")
        sleep(0.5)
        production.execute("DROP TABLE grants CASCADE")
        (segment,) = _row(production, "SELECT pg_walfile_name(pg_switch_wal())")
        while _row(production, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")[0] < segment:
            sleep(0.1)
    return moment, grants


def _prove(stage: Stage, told: Told, source: str, rows_before: int) -> None:
    """Look at the kept copy, at production, at staging and at the ledger with our own eyes."""
    prove = told.proofs.append
    copy = json.loads(stage.must("drill", "show", told.drill["id"], "--json"))["copy_url"]
    if copy is not None:
        with psycopg.connect(copy) as restored:
            (witness,) = _row(restored, "SELECT count(*) FROM entries WHERE external_user_id = %s", ROW)
            (grants,) = _row(restored, "SELECT count(*) FROM grants")
        prove(Proof(f"the row `{ROW}` is in the copy", witness == 1, f"{witness} row"))
        prove(Proof("the destroyed table is whole in the copy", grants == rows_before, f"{grants} rows"))
    with psycopg.connect(source) as production:
        (gone,) = _row(production, "SELECT to_regclass('public.grants') IS NULL")
    prove(Proof("production was not touched: the damage is still there", gone, "grants is missing"))
    released = stage.firstuser("drill", "release", told.drill["id"])
    prove(
        Proof("the copy is destroyed and staging is home", released.returncode == 0, released.stdout.strip())
    )
    ledger = stage.firstuser("evidence", "verify")
    prove(Proof("the evidence ledger verifies", ledger.returncode == 0, ledger.stdout.strip()))


def _row(connection: psycopg.Connection, query: LiteralString, *values: object) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return row


def _tell(told: Told, seconds: float, *, again: bool = True) -> None:
    """`again`: with what was proved; without, it has been said as it came."""
    if again:
        _tell_proofs(told)
    good = sum(proof.true for proof in told.proofs)
    said = "all of it is true" if good == len(told.proofs) else "not all is true"
    colour = "green" if good == len(told.proofs) else "red"
    out.print(f"\n   [{colour}]{said}[/], {good} of {len(told.proofs)} claims, in {seconds:.0f} s")


def _tell_proofs(told: Told) -> None:
    drill = told.drill
    out.print("\n[bold]What was proved[/]")
    for c in drill.get("checks", []):
        good = c["status"] in {"pass", "skip"}
        out.print(f"   {'[green]✓[/]' if good else '[red]✗[/]'} {c['name']:<20} {c['observed']}")
    for proof in told.proofs:
        out.print(f"   {'[green]✓[/]' if proof.true else '[red]✗[/]'} {proof.claim}  [dim]{proof.seen}[/]")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in drill.get("rto_parts", {}).items())
    if drill:
        out.print(f"\n   [bold]RTO[/] {drill.get('rto_seconds')} s  ({parts})")
        out.print(f"   [bold]RPO[/] {drill.get('rpo_seconds')} s")
