"""The verdict: what makes a GO, and that nothing else does."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.preflight.records import HOLDS, Binding, Check, Result, State, Verdict, Waiver
from api.core.preflight.standing import Given, standing
from api.core.preflight.verdict import decide
from tests.api.core.preflight.samples import HOUR, NOW, check, result, waiver

NAMES = ("one", "two", "three", "four")
BAD = [state for state in State if state not in HOLDS]

moments = st.integers(-120, 120).map(lambda minutes: NOW + timedelta(minutes=minutes))
waivers = st.lists(
    st.builds(waiver, st.sampled_from(NAMES), st.sampled_from([None, "Bob", "Ann"]), moments),
    max_size=4,
)


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Check], list[Result], list[Waiver]]:
    checks = [check(name, waivable=draw(st.booleans())) for name in NAMES]
    looked_at = [one for one in checks if draw(st.integers(0, 9))]
    results = [result(one.name, draw(st.sampled_from(State)), draw(moments)) for one in looked_at]
    return checks, results, draw(waivers)


@given(runs())
def test_a_go_has_a_fresh_result_or_a_valid_waiver_for_every_check(
    run: tuple[list[Check], list[Result], list[Waiver]],
) -> None:
    checks, results, held = run
    decision = decide(checks, results, held, NOW)
    found = {one.name: one for one in results}
    expected = all(
        _good(found.get(one.name)) or (one.waivable and any(w.check == one.name and _valid(w) for w in held))
        if found.get(one.name)
        else False
        for one in checks
    )
    assert (decision.verdict is not Verdict.NO_GO) == expected
    if decision.verdict is Verdict.NO_GO:
        assert decision.expires_at is None
        assert decision.reasons and decision.next_step
    else:
        assert decision.expires_at is not None and decision.expires_at > NOW


def _good(one: Result | None) -> bool:
    return one is not None and one.state in {State.PASS, State.WARN} and one.expires_at > NOW


def _valid(one: Waiver) -> bool:
    return one.approver not in {None, one.requester} and one.expires_at > NOW


@given(runs(), st.sampled_from(NAMES), st.sampled_from(BAD))
def test_making_one_result_worse_never_makes_a_go(
    run: tuple[list[Check], list[Result], list[Waiver]], name: str, worse: State
) -> None:
    checks, results, _ = run
    before = decide(checks, results, [], NOW).verdict
    now_worse = [replace(one, state=worse) if one.name == name else one for one in results]
    after = decide(checks, now_worse, [], NOW).verdict
    assert after is Verdict.NO_GO or before is after
    if any(one.name == name for one in results):
        assert after is Verdict.NO_GO


@given(runs())
def test_the_order_of_results_does_not_matter(run: tuple[list[Check], list[Result], list[Waiver]]) -> None:
    checks, results, held = run
    assert decide(checks, results[::-1], held, NOW) == decide(checks, results, held, NOW)


def test_all_passing_is_a_plain_go_until_the_first_thing_expires() -> None:
    results = [result("one", State.PASS, NOW + HOUR), result("two", State.PASS, NOW + 2 * HOUR)]
    decision = decide([check("one"), check("two")], results, [], NOW)
    assert decision.verdict is Verdict.GO
    assert decision.expires_at == NOW + HOUR
    assert not decision.reasons


def test_nothing_to_check_is_no_go() -> None:
    assert decide([], [], [], NOW).verdict is Verdict.NO_GO


@pytest.mark.parametrize("state", BAD)
def test_every_other_state_is_no_go_and_is_named(state: State) -> None:
    decision = decide([check("one")], [result("one", state)], [], NOW)
    assert decision.verdict is Verdict.NO_GO
    assert "one" in decision.headline


def test_a_check_without_a_result_is_no_go() -> None:
    decision = decide([check("one"), check("two")], [result("one", State.PASS)], [], NOW)
    assert decision.verdict is Verdict.NO_GO
    assert "nothing looked at it" in decision.reasons[0]


def test_a_waiver_shows_in_the_headline_with_who_and_until_when() -> None:
    decision = decide([check("one")], [result("one", State.FAIL)], [waiver("one")], NOW)
    assert decision.verdict is Verdict.WARNINGS
    for said in ("one", "Bob", "known and small", "13:00"):
        assert said in decision.headline
    assert decision.expires_at == NOW + HOUR


def test_drill_receipt_and_owners_cannot_be_waived() -> None:
    decision = decide([check("one", waivable=False)], [result("one", State.FAIL)], [waiver("one")], NOW)
    assert decision.verdict is Verdict.NO_GO


GIVEN = Given("pfl_1", Verdict.GO, Binding("1.2", "c0ffee", "facts"), NOW + HOUR)


def test_a_go_stands_while_nothing_moves() -> None:
    assert standing(GIVEN, GIVEN.binding, "pfl_1", "", NOW).stands


@pytest.mark.parametrize(
    ("given", "binding", "newest", "fault", "why"),
    [
        (replace(GIVEN, expires_at=NOW), GIVEN.binding, "pfl_1", "", "expired"),
        (GIVEN, Binding("1.3", "c0ffee", "facts"), "pfl_1", "", "release"),
        (GIVEN, Binding("1.2", "decaf", "facts"), "pfl_1", "", "configuration"),
        (GIVEN, Binding("1.2", "c0ffee", "others"), "pfl_1", "", "rests on"),
        (GIVEN, GIVEN.binding, "pfl_2", "", "newer run"),
        (GIVEN, GIVEN.binding, "pfl_1", "drills: record 3 was changed", "evidence"),
        (replace(GIVEN, verdict=Verdict.NO_GO), GIVEN.binding, "pfl_1", "", "NO-GO"),
    ],
)
def test_any_change_voids_it(given: Given, binding: Binding, newest: str, fault: str, why: str) -> None:
    assert why in standing(given, binding, newest, fault, NOW).why
