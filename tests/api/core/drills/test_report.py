"""The report shows the verdict, the times against their targets, the checks and the next step."""

from datetime import UTC, datetime

from api.core.drills.records import DrillStatus, DrillSummary, check
from api.core.drills.report import markdown

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_failed_drill_says_what_failed_and_what_to_do() -> None:
    drill = DrillSummary(
        id="drl_1",
        status=DrillStatus.FAILED,
        phase="done",
        trigger="schedule",
        target_time=NOON,
        rto_seconds=12.5,
        rto_parts={"fetch": 2.0, "replay": 10.5},
        rpo_seconds=None,
        rpo_parts={},
        rto_target=10,
        rpo_target=60,
        started_at=NOON,
        finished_at=NOON,
        flow_run_id=None,
        checks=[check("login", False, "a | b", "line\nbreak", "restart it")],
        issues=["RTO 12.5 s is over its target"],
        next_step="Take backups more often.",
        evidence_id="evd_1",
        database_name="drill-1",
        keep_until=None,
    )
    text = markdown(drill)
    assert "✗ Restore drill failed" in text
    assert "- RTO 12.5 s is over its target" in text
    assert "Take backups more often." in text
    assert "| login | ✗ fail | line break — restart it | a \\| b | 0.00 |" in text
    assert "| · replay | 10.50 s |  |" in text
    assert "not measured" in text
    assert "evd_1" in text
