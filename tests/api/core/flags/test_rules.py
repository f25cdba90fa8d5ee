"""Which value holds: stored, old, unknown and overridden, over everything that can be stored."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.errors import Refused
from api.core.flags.rules import (
    EVERYWHERE,
    NORMAL,
    SCOPES,
    TRUSTED_FOR_SECONDS,
    FlagKey,
    Values,
    effective,
    parse_overrides,
    values_of,
)

KEYS = st.sampled_from(FlagKey)
NAMES = ("a", "b")


def scopes(key: FlagKey) -> list[str]:
    return [EVERYWHERE, *(f"{prefix}_{name}" for prefix in SCOPES[key] for name in NAMES)]


PLACES = st.sampled_from([(key, scope) for key in FlagKey for scope in scopes(key)])
STORED = st.dictionaries(PLACES, st.booleans())
FRESH = st.floats(0, TRUSTED_FOR_SECONDS)
STALE = st.floats(TRUSTED_FOR_SECONDS, math.inf, exclude_min=True)


@given(PLACES, STORED, FRESH, st.sampled_from([EVERYWHERE, "spc_a"]))
def test_tripped_anywhere_above_is_tripped(
    place: tuple[FlagKey, str], stored: Values, age: float, within: str
) -> None:
    key, scope = place
    set_here = {stored.get((key, at), NORMAL[key]) for at in (EVERYWHERE, within, scope)}
    expected = NORMAL[key] if set_here == {NORMAL[key]} else not NORMAL[key]
    assert effective(key, scope, stored, age, {}, within) is expected


@given(PLACES, STORED, FRESH, STORED)
def test_what_concerns_others_changes_nothing(
    place: tuple[FlagKey, str], stored: Values, age: float, more: Values
) -> None:
    key, scope = place
    others = {at: value for at, value in more.items() if at[0] != key or at[1] not in {EVERYWHERE, scope}}
    assert effective(key, scope, stored, age, {}) is effective(key, scope, {**stored, **others}, age, {})


@given(PLACES, st.none() | STORED, st.floats(0, math.inf), STORED)
def test_an_override_has_the_last_word_whatever_is_stored(
    place: tuple[FlagKey, str], stored: Values | None, age: float, overrides: Values
) -> None:
    key, scope = place
    for at in (scope, EVERYWHERE):
        if (key, at) in overrides:
            assert effective(key, scope, stored, age, overrides) is overrides[key, at]
            return
    assert effective(key, scope, stored, age, overrides) is effective(key, scope, stored, age, {})


@given(PLACES, STORED, FRESH, STALE)
def test_an_old_reading_closes_onboarding_and_leaves_live_tenants_as_they_were(
    place: tuple[FlagKey, str], stored: Values, fresh: float, stale: float
) -> None:
    key, scope = place
    late = effective(key, scope, stored, stale, {})
    if key is FlagKey.ONBOARDING_PAUSED:
        assert late is True
    else:
        assert late is effective(key, scope, stored, fresh, {})


@given(PLACES)
def test_a_store_never_read_closes_onboarding_and_nothing_else(place: tuple[FlagKey, str]) -> None:
    key, scope = place
    expected = True if key is FlagKey.ONBOARDING_PAUSED else NORMAL[key]
    assert effective(key, scope, None, math.inf, {}) is expected


@given(STORED)
def test_overrides_read_back_as_they_were_written(overrides: Values) -> None:
    written = ", ".join(
        f"{key.value}{f':{scope}' if scope else ''}={'on' if value else 'off'}"
        for (key, scope), value in overrides.items()
    )
    assert parse_overrides(written) == overrides


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("onboarding", "'onboarding' is not a flag"),
        ("telepathy=on", "'telepathy=on' is not a flag"),
        ("onboarding_paused=yes", "is not a flag"),
        ("onboarding_paused:int_x=on", "cannot be set for 'int_x'"),
        ("onboarding_paused=on,onboarding_paused=off", "contradicts"),
        ("integration_enabled:INT=off", "is not a flag"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(text: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        parse_overrides(text)
    assert refused.value.fix


def test_a_key_of_another_release_is_left_out() -> None:
    assert values_of([("telepathy", "", True), ("onboarding_paused", "", True)]) == {
        (FlagKey.ONBOARDING_PAUSED, ""): True
    }
