"""Which moment a drill restores to, and every refusal with its way out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.drills.records import Beacon
from api.core.drills.targets import AFTER_BEACON, DOWNTIME, choose_target, lost_seconds, parse_target
from api.core.errors import Refused
from api.core.ports import RestorePoint

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def point(earliest: datetime, latest: datetime | None) -> RestorePoint:
    return RestorePoint("full-1", "full", earliest, latest, 1)


def beacon(id: int, at: datetime) -> Beacon:
    return Beacon(id, at, "0/1", "1:1:")


POINTS = [point(NOON - minutes(60), NOON)]


def test_latest_stands_just_behind_the_newest_beacon_that_a_later_commit_follows() -> None:
    beacons = [beacon(n, NOON - minutes(5 - n)) for n in range(1, 6)]  # the last one is at noon itself
    assert choose_target(None, POINTS, beacons).at == NOON - minutes(1) + AFTER_BEACON


def test_a_moment_in_the_window_is_taken_as_asked() -> None:
    assert choose_target(NOON - minutes(30), POINTS, []).at == NOON - minutes(30)


@pytest.mark.parametrize(
    ("asked", "points", "beacons", "says"),
    [
        (None, [], [], "no restore point"),
        (None, [point(NOON, None)], [], "no restore point"),
        (NOON - minutes(61), POINTS, [], "before the first restore point"),
        (NOON, POINTS, [], "not archived yet"),
        (None, POINTS, [], "No beacon"),
        (None, POINTS, [beacon(1, NOON - minutes(61))], "No beacon"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_a_way_out(
    asked: datetime | None, points: list[RestorePoint], beacons: list[Beacon], says: str
) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        choose_target(asked, points, beacons)
    assert refusal.value.fix


@given(st.lists(st.floats(-90, 30), max_size=20))
def test_latest_is_always_inside_the_window(offsets: list[float]) -> None:
    beacons = [beacon(n, NOON + minutes(offset)) for n, offset in enumerate(offsets)]
    try:
        target = choose_target(None, POINTS, beacons).at
    except Refused:
        assert not any(-60 < offset < -0.01 for offset in offsets)
    else:
        assert POINTS[0].earliest < target < NOON


def test_times_are_read_with_any_offset_and_never_from_the_future() -> None:
    assert parse_target("latest", NOON) is None
    assert parse_target(" 2026-11-22T12:30:00+01:00 ", NOON) == NOON - minutes(30)
    assert parse_target("2026-11-22T11:00:00", NOON) == NOON - minutes(60)
    for wrong, says in (("2026-11-22T12:00:01Z", "in the future"), ("yesterday", "not a moment")):
        with pytest.raises(Refused, match=says) as refused:
            parse_target(wrong, NOON)
        assert refused.value.fix


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_what_would_be_lost_is_the_life_of_the_source_since_the_restored_beacon() -> None:
    later = [NOON + seconds(5), NOON + seconds(10)]
    assert lost_seconds(NOON, later, NOON + seconds(12)) == 12


def test_downtime_loses_nothing_but_silence_of_the_beacons_counts_in_full() -> None:
    back_after_an_hour = [NOON + seconds(5), NOON + minutes(60)]
    lost = lost_seconds(NOON, back_after_an_hour, NOON + minutes(60) + seconds(3))
    assert lost == 5 + DOWNTIME.total_seconds() + 3
    assert lost_seconds(NOON, [], NOON + minutes(60)) == 3600


@given(st.lists(st.floats(0, 1000), max_size=20), st.floats(0, 100))
def test_it_is_never_more_than_the_time_that_passed(offsets: list[float], tail: float) -> None:
    later = sorted(NOON + seconds(offset) for offset in offsets)
    asked = (later[-1] if later else NOON) + seconds(tail)
    assert 0 <= lost_seconds(NOON, later, asked) <= (asked - NOON).total_seconds() + 1e-6
