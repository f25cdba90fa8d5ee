"""`prefect.yaml` before Prefect reads it: schedules that nobody wants, variables that nobody set."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from api.core.errors import Refused
from deployments.orchestration.deploying import PREFECT_FILE
from deployments.orchestration.prefect_file import check_variables, unscheduled, without_schedules

TEXT = PREFECT_FILE.read_text()
SCHEDULED = {one["name"] for one in yaml.safe_load(TEXT)["deployments"] if one["schedules"]}
APART = timedelta(seconds=15)


def scheduled(text: str) -> set[str]:
    return {one["name"] for one in yaml.safe_load(text)["deployments"] if one["schedules"]}


@settings(deadline=None, max_examples=20)  # each reads the whole file twice
@given(chosen=st.sets(st.sampled_from(sorted(SCHEDULED)), min_size=1))
def test_what_is_named_is_scheduled_and_nothing_else(chosen: set[str]) -> None:
    left_out = unscheduled(TEXT, " , ".join(sorted(chosen)) + ",")
    assert scheduled(without_schedules(TEXT, left_out)) == chosen


def test_nothing_said_means_everything_and_off_means_nothing() -> None:
    assert unscheduled(TEXT, "") == set()
    assert unscheduled(TEXT, "off") == SCHEDULED


@pytest.mark.parametrize("chosen", ["sweeps", "sweep,of", "off,sweep", "restore-drill,incident"])
def test_a_name_that_has_no_schedule_is_refused_with_those_that_have(chosen: str) -> None:
    with pytest.raises(Refused, match="FIRSTUSER_SCHEDULES") as refused:
        unscheduled(TEXT, chosen)
    assert "webhook-retries" in str(refused.value.fix)


def test_all_else_of_the_file_stays() -> None:
    def rest(text: str) -> list[dict[str, Any]]:
        found = yaml.safe_load(text)
        return [{k: v for k, v in one.items() if k != "schedules"} for one in found["deployments"]]

    assert rest(without_schedules(TEXT, SCHEDULED)) == rest(TEXT)


def test_unset_variables_are_named_all_at_once() -> None:
    with pytest.raises(Refused, match=r"\$A, \$B,") as refused:
        check_variables("a: '{{ $A }}'\nb: '{{ $C }}-{{$B}}'\n", {"C": "c", "B": ""})
    assert refused.value.fix == "Set A, B."
    check_variables("a: '{{ $A }}'", {"A": "1"})


def test_minutely_ones_never_start_together_nor_with_those_of_a_full_minute() -> None:
    found = [each for one in yaml.safe_load(TEXT)["deployments"] for each in one["schedules"]]
    minutely = [one for one in found if one.get("interval") == 60]
    assert not [one for one in found if one.get("cron", "").startswith("* ")]
    at = sorted(datetime.fromisoformat(one["anchor_date"]).astimezone(UTC).second for one in minutely)
    around = [*at, at[0] + 60]
    assert len(minutely) == 4
    assert 0 not in at
    assert all(later - before >= APART.seconds for before, later in pairwise(around))
