"""Variables that are set one at a time: a kill between any two leaves a state to go on from.

Every sequence of calls is run with a kill after any number of single writes, then called again: it ends as
the one that nobody killed, and at no moment is the working value gone from what consumers accept."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.errors import Conflict, NotFound
from api.core.rotation.stores import Stage, StoredVersion
from api.providers.secret_stores import ring
from api.providers.secret_stores.variables import VariableStore

NAME = "SESSION_SECRET"
START = datetime(2026, 11, 1, tzinfo=UTC)


class Killed(BaseException):
    """Like SIGKILL: nobody handles it."""


class Plain:
    """Variables with one write per call of the platform, of which the first `allowed` are made."""

    name = "plain"

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.allowed = 1_000
        self.seen: list[dict[str, str]] = []

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        return {name: self.values[name] for name in names if name in self.values}

    def set(self, changes: Mapping[str, str | None]) -> None:
        for name, value in changes.items():
            if self.allowed == 0:
                raise Killed
            self.allowed -= 1
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value
            self.seen.append(dict(self.values))

    def accepted(self) -> frozenset[str]:
        return frozenset(self.values[name] for name in ring.variables(NAME)[:3] if name in self.values)


class Calls:
    """What a rotation asks of a store, by number."""

    def __init__(self, plain: Plain) -> None:
        self.now = START
        self.store = VariableStore(plain, lambda: self.now)

    def make(self, call: tuple[str, int]) -> None:
        what, version = call
        calls: dict[str, Callable[[], None]] = {
            "put": lambda: self.store.put_pending(NAME, version, f"value-{version}"),
            "promote": lambda: self.store.promote(NAME, version),
            "retire": lambda: self.store.retire(NAME, version),
        }
        with suppress(Conflict, NotFound):
            calls[what]()
        self.now += timedelta(hours=1)


def states(plain: Plain) -> list[tuple[Stage, int, str]]:
    found = ring.parse(plain.values, NAME)
    return sorted((stage, held.version, held.value) for stage, held in found.items())


calls = st.lists(
    st.tuples(st.sampled_from(["put", "promote", "retire"]), st.integers(2, 5)), min_size=1, max_size=12
)
by_hand = st.sampled_from([{}, {NAME: "value-1"}, {NAME: "value-1", f"{NAME}_PREVIOUS": "value-0"}])


@given(
    before=by_hand,
    done=calls,
    last=st.tuples(st.sampled_from(["put", "promote", "retire"]), st.integers(0, 5)),
)
def test_killed_after_any_write_and_called_again_it_ends_the_same(
    before: dict[str, str], done: list[tuple[str, int]], last: tuple[str, int]
) -> None:
    whole = Plain(before)
    walk = Calls(whole)
    for call in done:
        walk.make(call)
    start = dict(whole.values)
    working = ring.parse(start, NAME).get(Stage.CURRENT)
    whole.seen.clear()
    walk.make(last)
    for kill_after in range(len(whole.seen)):
        killed = Plain(start)
        killed.allowed = kill_after
        try:
            Calls(killed).make(last)
        except Killed:
            assert working is None or working.value in killed.accepted()
        killed.allowed = 1_000
        Calls(killed).make(last)
        assert states(killed) == states(whole)
        assert killed.accepted() == whole.accepted()


@given(before=by_hand, done=calls)
def test_every_call_made_twice_is_made_once(before: dict[str, str], done: list[tuple[str, int]]) -> None:
    plain = Plain(before)
    walk = Calls(plain)
    for call in done:
        walk.make(call)
        once = dict(plain.values)
        walk.make(call)
        assert plain.values == once


@given(before=by_hand, done=calls)
def test_what_consumers_accept_is_what_the_store_describes(
    before: dict[str, str], done: list[tuple[str, int]]
) -> None:
    plain = Plain(before)
    walk = Calls(plain)
    for call in done:
        walk.make(call)
        described = {stage: version for stage, version, _ in states(plain)}
        assert {value for _, _, value in states(plain)} == plain.accepted()
        assert {one.stage: one.version for one in walk.store.describe(NAME)} == described


def test_a_secret_put_by_hand_is_version_one_of_an_unknown_age() -> None:
    store = VariableStore(Plain({NAME: "a", f"{NAME}_PREVIOUS": "b"}))
    assert list(store.describe(NAME)) == [
        StoredVersion(1, Stage.CURRENT, None),
        StoredVersion(0, Stage.PREVIOUS, None),
    ]


def test_marks_that_nobody_can_read_count_for_nothing() -> None:
    plain = Plain({NAME: "a", f"{NAME}_VERSIONS": "current=x@never pending nonsense=3"})
    assert VariableStore(plain).describe(NAME) == [StoredVersion(1, Stage.CURRENT, None)]


@pytest.mark.parametrize(
    ("ours", "current", "numbers"),
    [
        ([None], 0, [1]),
        ([None, None], 1, [0, 1]),
        ([None, 2], 1, [1, 2]),
        ([None, 2], 0, [1, 2]),
        ([None, 7], 0, [6, 7]),
        ([None, None, 4], 1, [2, 3, 4]),
        ([3, None], 1, [3, 4]),
        ([3, None, 9], 1, [3, 8, 9]),
        ([], 0, []),
    ],
)
def test_versions_without_a_number_count_on_from_those_with_one(
    ours: list[int | None], current: int, numbers: list[int]
) -> None:
    assert ring.numbers(ours, current) == numbers
