"""Evidence → Prefect artifacts: what ops read beside a run. Never holds a secret."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import copy_context
from time import monotonic
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from api.core.drills import report
from api.core.drills.history import History
from api.core.drills.records import DrillSummary
from api.core.evidence.report import LedgerReport
from api.core.ports import Progress
from api.core.preflight import report as preflight_report
from api.core.preflight.records import Check, Result
from api.core.preflight.service import Preflight
from api.core.rotation.cadence import Dated
from flows import drill_history, wiring
from flows.artifacts import runbook
from flows.away import unless_prefect_is_away
from flows.rotation_run import Outcome, Plan

UPDATE_EVERY_S = 1.0


class ProgressArtifact:
    """Shows the long steps of a run as progress bars, one per phase, updated at most once a second.

    A step done within a second leaves none. Providers may report from threads of their own, which know
    nothing of the run: artifacts are made in the context of the task that called `step`.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._bars: dict[str, UUID] = {}
        self._began_at = self._shown_at = monotonic()
        self._context = copy_context()

    @contextmanager
    def step(self) -> Generator[None]:
        """The task that the progress belongs to. Its bars are full once it is done."""
        self._begin()
        yield
        with unless_prefect_is_away():
            for phase, bar in self._bars.items():
                update_progress_artifact(artifact_id=bar, progress=100.0, description=f"{phase}: done")

    def __call__(self, progress: Progress) -> None:
        now = monotonic()
        fresh = progress.phase not in self._bars and now - self._began_at >= UPDATE_EVERY_S
        if not fresh and now - self._shown_at < UPDATE_EVERY_S:
            return
        self._shown_at = now
        share = min(100.0, 100.0 * progress.done / progress.total) if progress.total else 0.0
        said = f"{progress.phase}: {_amount(progress.done, progress.unit)}"
        if progress.total:
            said += f" of {_amount(progress.total, progress.unit)}"
        self._context.run(self._show, progress.phase, share, said)

    @unless_prefect_is_away()
    def _show(self, phase: str, share: float, said: str) -> None:
        known = self._bars.get(phase)
        if known is None:
            created: Any = create_progress_artifact(progress=share, description=said)
            self._bars[phase] = created
        else:
            update_progress_artifact(artifact_id=known, progress=share, description=said)


def _amount(value: float, unit: str) -> str:
    return f"{value / 1_048_576:.1f} MB" if unit == "bytes" else f"{value:.0f} {unit}"


class PreflightProgress:
    """One bar for the whole run: how many checks are done, and which are being looked at."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._running: list[str] = []
        self._bar: UUID | None = None
        with unless_prefect_is_away():
            created: Any = create_progress_artifact(progress=0.0, description=f"0 of {total} checks")
            self._bar = created

    def __call__(self, check: Check, result: Result | None) -> None:
        if result is None:
            self._running.append(check.name)
            return
        self._done += 1
        self._running = [name for name in self._running if name != check.name]
        now = f", looking at {', '.join(self._running)}" if self._running else ""
        if self._bar is not None:
            with unless_prefect_is_away():
                update_progress_artifact(
                    artifact_id=self._bar,
                    progress=100.0 * self._done / self._total,
                    description=f"{self._done} of {self._total} checks{now}",
                )


@unless_prefect_is_away()
def report_preflight(run: Preflight) -> None:
    """The verdict as Markdown and the checks as a table; the latest of each is kept under a fixed key."""
    create_markdown_artifact(
        key="preflight",
        markdown=preflight_report.markdown(run, wiring.settings().alerts.runbooks_url),
        description=f"{run.id}: {run.headline}"[:500],
    )
    create_table_artifact(
        key="preflight-checks",
        table=[
            dict(zip(preflight_report.COLUMNS, row, strict=True))
            for row in preflight_report.rows(run.results)
        ],
        description=f"{run.id}: checks",
    )


@unless_prefect_is_away()
def report_drill(drill: DrillSummary) -> None:
    """The drill as Markdown and its checks as a table; the latest of each is kept under a fixed key."""
    create_markdown_artifact(
        key="restore-drill",
        markdown=report.markdown(drill, wiring.settings().alerts.runbooks_url),
        description=f"{drill.id}: {drill.status.value}",
    )
    create_table_artifact(
        key="restore-drill-checks",
        table=[
            {
                "check": c.name,
                "status": c.status.value,
                "expected": c.expected,
                "observed": c.observed,
                "fix": c.fix,
            }
            for c in drill.checks
        ],
        description=f"{drill.id}: checks",
    )


async def publish_evidence(report: LedgerReport, kept: str) -> None:
    """Every stream with its end; what is wrong, record by record, and what to do about it."""
    faults = report.every_fault()
    text = [f"# Evidence: {'whole' if report.whole else 'BROKEN'}", ""]
    if faults:
        text += [f"- {fault}" for fault in faults]
        text += ["", f"Do what {runbook('evidence')} says. Do not write into the ledger by hand."]
    else:
        text += ["Every hash and every signature was recomputed, and nothing is missing from an end."]
        text += ["", f"Runbook: {runbook('evidence')}"]
    text += ["", "| stream | records | unsigned | ends with |", "| - | - | - | - |"]
    for stream in report.streams:
        end = stream.head.hash[:16] if stream.head else "–"
        text.append(f"| {stream.stream} | {stream.records} | {stream.unsigned} | `{end}…` |")
    signed = (
        f"The chain of keys begins with `{report.first_key}`." if report.first_key else "Nothing is signed."
    )
    text += ["", f"{signed} {kept}", "", "Verify it yourself: `firstuser evidence verify`."]
    said = f"{len(faults)} faults" if faults else "whole"
    made = create_markdown_artifact(key="evidence", markdown="\n".join(text), description=said)
    await made  # type: ignore[misc]  # awaitable within an async flow, whatever its type says


def report_history(found: History) -> None:
    """RTO and RPO over time as a picture, the weeks and failures as Markdown."""
    create_markdown_artifact(
        key="drill-history", markdown=drill_history.markdown(found), description=found.headline
    )
    if found.drills:
        create_image_artifact(
            image_url=drill_history.data_url(found), key="drill-trend", description=found.headline
        )


async def publish_rotation_plan(plan: Plan) -> None:
    """What is to be rotated, why, how old it is, and whom it touches."""
    rows = [
        f"| `{one.row.held.name}` | {one.row.held.label} | {_days(one.row)} | {one.why} | {one.blast} |"
        for one in plan.planned
    ]
    text = [f"# Rotation plan: {plan.mode}", ""]
    if rows:
        text += [
            "| secret | what | age | why | used in the last 24 hours by |",
            "| - | - | - | - | - |",
            *rows,
        ]
    else:
        text += ["Nothing is to be rotated. What is under way goes on."]
    text += [
        "",
        f"{len(plan.others)} other secrets stay as they are. Runbook: {runbook('preflight-secrets')}",
    ]
    made = create_markdown_artifact(
        key="rotation-plan", markdown="\n".join(text), description=f"{len(rows)} to rotate"
    )
    await made  # type: ignore[misc]  # awaitable within an async flow, whatever its type says


async def publish_rotation_proof(outcome: Outcome) -> None:
    """What was seen: the new ones work, the old ones are refused."""
    text = ["# Rotations", "", outcome.headline]
    for one in outcome.rotations:
        head = f"## {one.name}: version {one.from_version} → {one.to_version}, {one.phase(outcome.now)}"
        text += ["", head, "", "| step | tried | expected | seen | |", "| - | - | - | - | - |"]
        text += [
            f"| {proof['step']} | {proof['name']} | {proof['expected']} | {proof['observed']} |"
            f" {'✓' if proof['ok'] else '✕' if proof['required'] else '–'} |"
            for proof in one.proofs
        ]
    step = "**Next step:** `firstuser rotate status`. " if outcome.stuck else ""
    text += ["", f"{step}Runbook: {runbook('preflight-secrets')}"]
    made = create_markdown_artifact(
        key="rotation-proof", markdown="\n".join(text), description=outcome.headline[:200]
    )
    await made  # type: ignore[misc]  # awaitable within an async flow, whatever its type says


def _days(row: Dated) -> str:
    return f"{row.age.days} days" if row.age else "not known"
