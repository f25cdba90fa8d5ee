"""The history says which weeks had a good drill; a week without any is a hole that is told."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.drills.history import WEEK, History, history, monday
from api.core.drills.records import DrillStatus, DrillSummary
from flows import drill_history

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def drill(at: datetime, status: DrillStatus = DrillStatus.PASSED, rto: float | None = 12.5) -> DrillSummary:
    fields: dict[str, Any] = dict.fromkeys(DrillSummary.__slots__)
    good = status is DrillStatus.PASSED
    return DrillSummary(
        **fields
        | {
            "id": f"drl_{at:%m%d%H}",
            "status": status,
            "trigger": "schedule",
            "rto_parts": {},
            "rpo_parts": {},
            "checks": [],
            "rto_seconds": rto,
            "rpo_seconds": 0.4 if rto else None,
            "rto_target": 900.0,
            "rpo_target": 120.0,
            "started_at": at,
            "finished_at": None if status is DrillStatus.RUNNING else at + timedelta(minutes=1),
            "issues": [] if good else ["digests: <entries> differ"],
        }
    )


SOME = [
    drill(NOW),
    drill(NOW - WEEK, DrillStatus.FAILED),
    drill(NOW - 3 * WEEK),
    drill(NOW - 3 * WEEK - timedelta(hours=1), rto=9.0),
    drill(NOW - timedelta(hours=2), DrillStatus.RUNNING, None),
    drill(NOW - timedelta(hours=3), DrillStatus.ERROR, None),
]


def test_weeks_without_a_good_drill_are_holes() -> None:
    found = history(SOME, NOW)
    assert [(week.good, week.bad) for week in found.weeks] == [(2, 0), (0, 0), (0, 1), (1, 1)]
    assert [week.begins.date().isoformat() for week in found.weeks] == [
        "2026-11-02",
        "2026-11-09",
        "2026-11-16",
        "2026-11-23",
    ]
    assert found.weeks[0].rto_seconds == 9.0
    assert found.covered == 2
    assert found.headline == "2 of 4 weeks had a good drill; 3 of 5 passed; median RTO 12.5 s."
    assert json.loads(json.dumps(found.to_json()))["covered_weeks"] == 2


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(1, 30))
def test_every_drill_is_in_one_week_and_no_week_is_left_out(days: list[int], most: int) -> None:
    drills = [drill(NOW - timedelta(days=day)) for day in days]
    found = history(drills, NOW, most)
    assert sum(week.good + week.bad for week in found.weeks) == len(found.drills)
    assert len(found.weeks) <= most
    begins = [week.begins for week in found.weeks]
    assert all(later - earlier == WEEK for earlier, later in pairwise(begins))
    if begins:
        assert begins[-1] == monday(NOW)


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_picture_is_drawn_and_always_the_same(form: str, begins: bytes) -> None:
    found = history(SOME, NOW)
    made = drill_history.plot(found, form)
    assert made.startswith(begins)
    assert made == drill_history.plot(found, form)


def test_the_report_names_holes_and_failures_and_escapes_them() -> None:
    found = history(SOME, NOW)
    text, page = drill_history.markdown(found), drill_history.page(found)
    assert "| 2026-11-09 | **none** | 0 | – | – |" in text
    assert "drl_111712" in text
    assert "&lt;entries&gt;" in page
    assert "<entries>" not in page
    assert "data:image/png" in page


def test_without_a_drill_there_is_a_sentence_and_no_picture() -> None:
    empty = history([], NOW)
    assert empty == History([], [])
    assert "hope" in empty.headline
    assert "data:image" not in drill_history.page(empty)
