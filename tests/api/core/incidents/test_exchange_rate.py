"""R1 against its own words, the acceptance series, and what must hold whatever the numbers are."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.core.incidents import cases
from api.core.incidents.exchange_rate import Bucket, Thresholds, judge
from api.core.incidents.paging import page
from api.core.incidents.verdicts import Verdict
from tests.api.core.incidents import reference
from tests.api.core.incidents.strategies import series

ACCEPTANCE = Path("/work/shared/design/rollback-cases.json")
Some = list[Bucket | None]


def said(given_series: Some) -> list[str]:
    return [judged.verdict.value for judged in judge(given_series)]


def trips(given_series: Some) -> int | None:
    """The first minute, counted from 1."""
    found = said(given_series)
    return found.index("TRIP") + 1 if "TRIP" in found else None


@settings(max_examples=400)
@given(series)
def test_it_says_what_the_rule_says_word_for_word(minutes: Some) -> None:
    assert said(minutes) == reference.verdicts(minutes)


@given(series, st.integers(0, 60))
def test_a_verdict_rests_on_its_past_only(minutes: Some, cut: int) -> None:
    assert said(minutes[: cut + 1]) == said(minutes)[: cut + 1]


@given(series, st.data())
def test_more_failures_never_undo_a_trip(minutes: Some, data: st.DataObject) -> None:
    """Attempts that had succeeded now fail, in any minutes; attempts more that fail, in the newest one."""
    before = said(minutes)
    worse = [bucket and Bucket(data.draw(st.integers(bucket.failed, bucket.attempted)), bucket.attempted)
             for bucket in minutes]  # fmt: skip
    after = said(worse)
    assert all(now == "TRIP" for was, now in zip(before, after, strict=True) if was == "TRIP")
    newest, more = minutes[-1], data.draw(st.integers(1, 50))
    if newest and before[-1] == "TRIP":
        assert said([*minutes[:-1], Bucket(newest.failed + more, newest.attempted + more)])[-1] == "TRIP"


@given(series)
def test_there_is_no_trip_without_ten_minutes_of_breach_that_still_lasts(minutes: Some) -> None:
    for at, one in enumerate(judge(minutes)):
        if one.verdict is Verdict.TRIP:
            newest, before = minutes[at], minutes[at - 1]
            assert one.since is not None and at - one.since >= 10 and newest is not None
            assert newest.failed + (before.failed if before else 0) > 0


def test_the_acceptance_series() -> None:
    if not ACCEPTANCE.exists():
        pytest.skip("the acceptance series are not on this machine")
    found = [cases.replay(case) for case in cases.read(ACCEPTANCE.read_text())]
    assert len(found) >= 10 and [one.surprises() for one in found] == [[]] * len(found)


def test_the_limit_itself_is_no_breach_and_a_breach_takes_ten_minutes_more() -> None:
    calm, limit, over = Bucket(0, 100), Bucket(5, 100), Bucket(6, 100)
    assert trips([calm] * 5 + [limit] * 40) is None
    assert trips([over] * 30) == 11
    assert trips([over] * 10) is None


def test_a_breach_that_is_over_does_not_trip_late() -> None:
    bad, calm = Bucket(100, 100), Bucket(0, 100)
    for minutes in range(1, 10):
        assert trips([calm] * 10 + [bad] * minutes + [calm] * 20) is None


def test_three_minutes_without_a_state_are_bridged_and_four_are_not() -> None:
    bad, thin = Bucket(40, 100), Bucket(0, 0)
    assert trips([bad] * 5 + [None] * 3 + [bad] * 30) == 11
    assert trips([bad] * 5 + [None] * 4 + [bad] * 30) == 22  # the run begins anew at minute 12
    assert "INSUFFICIENT" in said([bad] * 5 + [thin] * 6)


def test_silence_is_not_health() -> None:
    assert said([Bucket(0, 100)] * 5 + [None])[-1] == "NO_DATA"
    assert said([None])[-1] == "NO_DATA" and said([Bucket(0, 0)])[-1] == "INSUFFICIENT"


def test_other_thresholds_other_trips() -> None:
    minutes: Some = [Bucket(100, 100)] * 12
    assert [one.verdict for one in judge(minutes, Thresholds(hold=8))].index(Verdict.TRIP) + 1 == 9
    assert Verdict.TRIP not in [one.verdict for one in judge(minutes, Thresholds(hold=12))]


def paged(minutes: Some) -> str:
    return page(minutes, judge(minutes))


def test_silence_pages_after_a_breach_at_once_and_else_after_five_minutes() -> None:
    calm, bad = Bucket(0, 100), Bucket(50, 100)
    assert not paged([calm] * 10 + [None] * 5) and "6 minutes" in paged([calm] * 10 + [None] * 6)
    assert "fell silent while" in paged([bad] * 3 + [None])


def test_a_trickle_pages_when_it_fails() -> None:
    none, one = Bucket(0, 0), Bucket(1, 1)
    assert not paged([none] * 10 + [one] * 4)
    assert "all failed" in paged([none, one, none, one, one, none, one, none, none, one])
    assert not paged([none] * 30)
    few = [Bucket(0, 1), Bucket(1, 1), none, none]
    assert not paged(few * 2 + [none] * 4)  # 2 of 4
    assert "3 of 10" in paged([Bucket(1, 3), *[none] * 4] * 3 + [Bucket(0, 1)] + [none] * 4)
    assert not paged([Bucket(1, 6), *[none] * 4] * 3)  # 3 of 18 are no fifth
