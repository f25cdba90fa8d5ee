"""Backups of the embedded default (runbook section 2): full daily, incremental every few minutes, kept for
at least 14 days; stored WAL without a gap; every backup verified."""

from typing import Any, Literal

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from api.core.clock import system_clock
from api.core.errors import Rejected
from flows import artifacts, hooks, wiring
from flows.naming import stamped
from flows.reporting import ProgressArtifact

Kind = Literal["auto", "full", "incremental"]
progress = ProgressArtifact()


def run_name() -> str:
    """`backup/2026-11-22-0200-full`."""
    asked: dict[str, Any] = flow_run.get_parameters()
    return f"{stamped('backup')()}-{asked.get('kind', 'auto')}"


@flow(
    name="take-backup",
    flow_run_name=run_name,
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
def take_backup(
    kind: Kind = "auto",
) -> Any:
    """Take a base backup and verify it against its manifest before it counts.

    Args:
        kind: auto takes a full one when the last full one is a day old, else an incremental one.
    """
    taken = back_up(kind)
    points = list_restore_points()
    return Completed(message=f"{taken} is taken and verified; {points} restore points")


@flow(
    name="retain-backups",
    flow_run_name=stamped("retain-backups"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
def retain() -> Any:
    """Drop what is past retention, never the last good chain; look for WAL gaps; re-verify the newest."""
    removed = prune()
    gaps = find_wal_gaps()
    broken = reverify_newest()
    artifacts.backups_kept(removed, [*gaps, *broken], list_restore_points())
    if gaps or broken:
        return Failed(message="; ".join([*gaps, *broken]))
    return Completed(message=f"{len(removed)} backups removed, WAL without a gap, newest backup verified")


@task(name="take and verify")
def back_up(kind: Kind) -> str:
    with progress.step():
        taken = wiring.backup_keeper().take_backup(kind, progress)
    artifacts.backed_up(taken)
    return taken.id


@task(name="prune past retention")
def prune() -> list[str]:
    days = wiring.settings().drills.backup_retention_days
    with progress.step():
        removed = wiring.backup_keeper().prune(system_clock(), days, progress)
    return [backup.id for backup in removed.backups]


@task(name="look for WAL gaps")
def find_wal_gaps() -> list[str]:
    return [f"WAL gap: {gap}" for gap in wiring.backup_keeper().wal_gaps()]


@task(name="verify the newest backup")
def reverify_newest() -> list[str]:
    """What is wrong with it, empty when nothing is."""
    points = wiring.database().restore_points()
    if not points:
        return ["there is no backup to verify: run `firstuser backups take --kind full`"]
    try:
        with progress.step():
            wiring.backup_keeper().verify_backup(points[-1].id, progress)
    except Rejected as damage:
        return [str(damage)]
    return []


@task(name="list restore points", persist_result=False)
def list_restore_points() -> int:
    """Publish the restore points as a table artifact; returns how many there are."""
    points = wiring.database().restore_points()
    create_table_artifact(
        key="restore-points",
        table=[
            {
                "id": point.id,
                "kind": point.kind,
                "reaches from": point.earliest.isoformat(timespec="seconds"),
                "to": point.latest.isoformat(timespec="seconds") if point.latest else "nothing",
                "MB": round(point.size_bytes / 1_048_576, 1),
                "verified": point.verified_at.isoformat(timespec="seconds") if point.verified_at else "no",
            }
            for point in points
        ],
        description=f"{len(points)} restore points",
    )
    return len(points)
