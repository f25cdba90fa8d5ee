"""The runner: all at once, with timeouts and retries, dependents skipped by name, crashes contained."""

from collections.abc import Callable
from threading import Barrier, Event, Lock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.core.clock import frozen_clock
from api.core.errors import Refused
from api.core.preflight.catalogue import CHECKS
from api.core.preflight.records import Check, Finding, Result, State
from api.core.preflight.runner import Look, Runner
from tests.api.core.preflight.samples import NOW, bad, check, good


def run(checks: list[Check], **looks: Look) -> dict[str, Result]:
    runner = Runner(looks, frozen_clock(NOW), lambda _check, _result: None, wait=lambda _seconds: None)
    results = runner.run(checks)
    assert [one.name for one in results] == [one.name for one in checks]
    return {one.name: one for one in results}


def test_independent_checks_run_at_the_same_time() -> None:
    """Each waits until all five are there: one after the other none would ever pass."""
    together = Barrier(5, timeout=10)

    def meet() -> Finding:
        together.wait()
        return good()

    names = ["a", "b", "c", "d", "e"]
    found = run([check(name) for name in names], **dict.fromkeys(names, meet))
    assert {one.state for one in found.values()} == {State.PASS}


def test_a_dependent_begins_only_after_what_it_builds_on() -> None:
    first = Event()

    def parent() -> Finding:
        first.set()
        return good()

    found = run(
        [check("child", "parent"), check("parent")],
        parent=parent,
        child=lambda: good() if first.is_set() else bad(),
    )
    assert found["child"].state is State.PASS


def test_dependents_of_what_fails_are_skipped_with_the_root_of_it() -> None:
    def never() -> Finding:
        raise AssertionError("nobody may look")

    found = run([check("a"), check("b", "a"), check("c", "b"), check("d")], a=bad, b=never, c=never, d=good)
    assert [found[name].state for name in "abcd"] == [State.FAIL, State.SKIP, State.SKIP, State.PASS]
    assert found["b"].blocked_by == found["c"].blocked_by == "a"


def test_a_check_that_crashes_harms_no_other_and_tells_no_secret() -> None:
    def crash() -> Finding:
        raise RuntimeError("postgresql://user:hunter2@host/db")

    def refuse() -> Finding:
        raise Refused("That is not it.", fix="Do this.")

    found = run([check("a"), check("b"), check("c")], a=crash, b=refuse, c=good)
    assert [found[name].state for name in "abc"] == [State.ERROR, State.ERROR, State.PASS]
    assert "hunter2" not in str(found["a"])
    assert (found["b"].observed, found["b"].fix) == ("That is not it.", "Do this.")


def test_a_check_that_hangs_is_given_up() -> None:
    forever = Event()
    found = run(
        [check("a", timeout_s=0.05), check("b")], a=lambda: good() if forever.wait(30) else bad(), b=good
    )
    forever.set()
    assert found["a"].state is State.ERROR
    assert "no answer" in found["a"].observed


def test_nothing_to_look_with_is_an_error() -> None:
    assert run([check("a")])["a"].state is State.ERROR


def test_checks_that_wait_for_one_another_end() -> None:
    found = run([check("a", "b"), check("b", "a"), check("c")], a=good, b=good, c=good)
    assert [found[name].state for name in "abc"] == [State.ERROR, State.ERROR, State.PASS]


@pytest.mark.parametrize(
    ("failures", "state", "attempts"),
    [(0, State.PASS, 1), (1, State.WARN, 2), (2, State.WARN, 3), (3, State.FAIL, 3)],
)
def test_a_pass_that_took_a_retry_is_a_warning(failures: int, state: State, attempts: int) -> None:
    found = run([check("a", attempts=3)], a=flaky(failures))
    assert (found["a"].state, found["a"].attempts) == (state, attempts)


def flaky(failures: int) -> Callable[[], Finding]:
    asked, lock = [0], Lock()

    def look() -> Finding:
        with lock:
            asked[0] += 1
            return bad() if asked[0] <= failures else good()

    return look


@st.composite
def graphs(draw: st.DrawFn) -> list[Check]:
    """Any number of checks, each building on some that come before it in some order."""
    names = [f"check{number}" for number in range(draw(st.integers(1, 7)))]
    made = [
        check(
            name,
            *draw(
                st.lists(st.sampled_from(names[:place]), unique=True, max_size=3) if place else st.just([])
            ),
        )
        for place, name in enumerate(names)
    ]
    return draw(st.permutations(made))


@settings(max_examples=40, deadline=None)
@given(graphs(), st.data())
def test_a_check_is_looked_at_exactly_when_everything_under_it_holds(
    graph: list[Check], data: st.DataObject
) -> None:
    sound = {one.name: data.draw(st.booleans(), label=one.name) for one in graph}
    found = run(graph, **{name: (good if fine else bad) for name, fine in sound.items()})
    for one in graph:
        clear = all(found[parent].state is State.PASS for parent in one.after)
        expected = (State.PASS if sound[one.name] else State.FAIL) if clear else State.SKIP
        assert found[one.name].state is expected
        if expected is State.SKIP:
            assert found[found[one.name].blocked_by].state is State.FAIL


def test_the_catalogue_builds_on_itself_only_and_every_line_says_what_to_do() -> None:
    known = {one.name for one in CHECKS}
    assert len(known) == len(CHECKS)
    for one in CHECKS:
        assert set(one.after) <= known
        assert one.expected and one.fix and one.runbook
