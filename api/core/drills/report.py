"""A drill as a person reads it: Markdown for the artifact and the ops notes, rows for tables. Pure."""

from collections.abc import Sequence
from datetime import datetime

from api.core.drills.records import RTO_PHASES, CheckResult, CheckStatus, DrillStatus, DrillSummary
from api.core.drills.verdict import limiting_phase

MARKS = {
    CheckStatus.PASS: "✓ pass",
    CheckStatus.FAIL: "✗ fail",
    CheckStatus.SKIP: "– skip",
    CheckStatus.ERROR: "✗ error",
}
HEADLINES = {
    DrillStatus.PASSED: "✓ Restore drill passed",
    DrillStatus.FAILED: "✗ Restore drill failed",
    DrillStatus.ERROR: "✗ Restore drill could not be carried out",
    DrillStatus.RUNNING: "Restore drill running",
}
RUNBOOK = "restore-drill"


def markdown(drill: DrillSummary, runbooks: str = "") -> str:
    """Verdict, times against targets, checks with expected and observed, next step. `runbooks`: where the
    pages can be read; "" names the file."""
    parts = [
        f"# {HEADLINES[drill.status]}",
        f"`{drill.id}` · started by {drill.trigger} at {_moment(drill.started_at)} · "
        f"target {_moment(drill.target_time)}",
        *(["## Issues", *(f"- {_escape(issue)}" for issue in drill.issues)] if drill.issues else []),
        f"**Next step:** {drill.next_step or 'wait for the verdict.'} (runbook: {_runbook(runbooks)})",
        "## Times",
        _table(("measure", "value", "target"), _times(drill)),
        "## Checks",
        _table(("check", "result", "observed", "expected", "seconds"), check_rows(drill.checks)),
        f"Evidence: `{drill.evidence_id or 'none yet'}`",
    ]
    return "\n\n".join(_join_bullets(parts))


def _runbook(base: str) -> str:
    if not base:
        return f"`deployments/runbooks/{RUNBOOK}.md`"
    return f"[{RUNBOOK}]({base.rstrip('/')}/{RUNBOOK}.md)"


def check_rows(checks: Sequence[CheckResult]) -> list[tuple[str, ...]]:
    """Name, result, what was observed (with the fix where it is red), what was expected, seconds."""
    return [
        (
            c.name,
            MARKS[c.status],
            c.observed + (f" — {c.fix}" if c.fix else ""),
            c.expected,
            f"{c.seconds:.2f}",
        )
        for c in checks
    ]


def _times(drill: DrillSummary) -> list[tuple[str, ...]]:
    rows = [("RTO", _seconds(drill.rto_seconds), f"{drill.rto_target:.0f} s")]
    rows += [
        (f"· {phase.value}", _seconds(drill.rto_parts.get(phase.value)), "")
        for phase in RTO_PHASES
        if phase.value in drill.rto_parts
    ]
    rows += [
        ("RPO", _seconds(drill.rpo_seconds), f"{drill.rpo_target:.0f} s"),
        *((f"· {name}", _seconds(value), "") for name, value in drill.rpo_parts.items()),
        ("limited by", limiting_phase(drill.rto_parts), ""),
    ]
    return rows


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} s"


def _moment(moment: datetime | None) -> str:
    return "not chosen" if moment is None else moment.isoformat(timespec="milliseconds")


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _join_bullets(parts: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for part in parts:
        if part.startswith("- ") and joined and joined[-1].startswith("- "):
            joined[-1] += "\n" + part
        else:
            joined.append(part)
    return joined
