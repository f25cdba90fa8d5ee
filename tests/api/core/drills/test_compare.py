"""A restored answer equals what the source held, or each difference is named; changed rows make no claim."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.core.drills.compare import field_differences, live_differences

TARGET = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW = timedelta(seconds=90)


def presence(user: str, age_s: float, status: str = "live") -> dict[str, Any]:
    return {
        "user_id": user,
        "last_seen": (TARGET - timedelta(seconds=age_s)).isoformat(),
        "status": status,
    }


def differences(
    sample: list[Mapping[str, Any]], observed: list[Mapping[str, Any]], changed: frozenset[str] = frozenset()
) -> list[str]:
    return live_differences(sample, observed, changed=changed, target=TARGET, window=WINDOW)


def test_the_same_live_users_are_no_difference() -> None:
    sample = [presence("a", 5), presence("b", 89), presence("c", 91), presence("d", 1, "left")]
    assert differences(sample, [presence("a", 5), presence("b", 89)]) == []


def test_each_kind_of_difference_is_named() -> None:
    sample = [presence("a", 5), presence("b", 5), presence("c", 200)]
    found = differences(sample, [presence("b", 6), presence("c", 200), presence("x", 1)])
    assert len(found) == 4
    assert "a was live on the source and is missing" in found
    assert "c was not live on the source and is shown" in found
    assert any(sentence.startswith("b was last seen") for sentence in found)
    assert "x is shown and the source did not hold them" in found


def test_rows_that_changed_after_the_sample_make_no_claim() -> None:
    sample = [presence("a", 5), presence("b", 5)]
    assert differences(sample, [presence("b", 1), presence("x", 1)], frozenset({"a", "b", "x"})) == []


def test_moments_compare_as_moments_and_fields_as_values() -> None:
    held = {"created_at": "2026-11-22T12:00:00+00:00", "name": "Acme"}
    assert field_differences(held, {"created_at": "2026-11-22T12:00:00Z", "name": "Acme", "more": 1}) == []
    assert field_differences(held, {"created_at": "2026-11-22T12:00:01Z", "name": "acme"}) != []
    assert len(field_differences(held, {})) == 2


users = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 300), max_size=8)


@given(users, st.data())
def test_losing_any_live_user_is_always_noticed(ages: dict[str, float], data: st.DataObject) -> None:
    sample: list[Mapping[str, Any]] = [presence(user, age) for user, age in ages.items()]
    live = [row for row in sample if TARGET - datetime.fromisoformat(row["last_seen"]) < WINDOW]
    assert differences(sample, live) == []
    if live:
        lost = data.draw(st.sampled_from(live))
        assert differences(sample, [row for row in live if row is not lost]) != []
