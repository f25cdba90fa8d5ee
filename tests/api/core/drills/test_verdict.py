"""Passed only when every check held and both targets were met; every miss says by how much."""

import pytest

from api.core.drills.records import CheckResult, CheckStatus, DrillStatus, check
from api.core.drills.verdict import decide, rto_advice, rto_seconds

GOOD = [check("login", True, "a login", "a login")]
PARTS = {"locate": 1.0, "fetch": 2.0, "replay": 30.0, "promote": 1.0, "point": 4.0, "verify": 2.0}


def test_all_good_passes_and_names_what_limits_the_time() -> None:
    verdict = decide(GOOD, PARTS, 60, 3, 60)
    assert verdict.status is DrillStatus.PASSED
    assert verdict.issues == []
    assert "replay (30.0 s of 40.0 s)" in verdict.next_step


def test_teardown_does_not_count_into_the_rto() -> None:
    assert rto_seconds({**PARTS, "teardown": 500.0}) == 40.0


@pytest.mark.parametrize(
    ("checks", "rto_target", "rpo", "says"),
    [
        ([check("login", False, "200", "500", "look")], 60, 3, "login: expected 200, observed 500"),
        ([CheckResult("login", CheckStatus.ERROR, "answers", "silent")], 60, 3, "observed silent"),
        ([], 60, 3, "no check was carried out"),
        (GOOD, 39, 3, "RTO 40.0 s is over its target of 39 s"),
        (GOOD, 60, 61, "RPO 61.0 s is over"),
        (GOOD, 60, None, "RPO could not be measured"),
    ],
)
def test_each_miss_fails_the_drill_with_its_reason(
    checks: list[CheckResult], rto_target: float, rpo: float | None, says: str
) -> None:
    verdict = decide(checks, PARTS, rto_target, rpo, 60)
    assert verdict.status is DrillStatus.FAILED
    assert any(says in issue for issue in verdict.issues)
    assert verdict.next_step


def test_a_skipped_check_is_no_failure() -> None:
    skipped = CheckResult("amcheck", CheckStatus.SKIP, "not asked for", "not asked for")
    assert decide([*GOOD, skipped], PARTS, 60, 3, 60).status is DrillStatus.PASSED


def test_advice_names_the_incremental_interval_that_would_meet_the_target() -> None:
    assert "2.0 times as often" in rto_advice(PARTS, 25)  # 15 s over, half of the 30 s of replay
    assert "replay alone cannot" in rto_advice(PARTS, 5)
