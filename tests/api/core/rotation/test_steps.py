"""The machine's decisions: pure, over every state there is."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.rotation import cadence, steps
from api.core.rotation.cadence import POLICIES, Held
from api.core.rotation.steps import Mode, Standing, State, Step, Wait
from tests.product import NOW

DAY = timedelta(days=1)
UNTIL = (None, NOW - DAY, NOW, NOW + DAY)
STANDINGS = [Standing(*facts) for facts in product(State, Step, Mode, (True, False), (True, False), UNTIL)]


def test_the_steps_are_those_of_the_design_in_its_order() -> None:
    assert [step.value for step in steps.ORDER] == [
        "mint", "store", "reload", "prove", "overlap", "retire", "refuse",
    ]  # fmt: skip
    assert [steps.after(step) for step in steps.ORDER] == [*steps.ORDER[1:], None]


@pytest.mark.parametrize("standing", STANDINGS)
def test_nothing_is_retired_while_its_overlap_runs_and_nobody_is_cut_off_unseen(standing: Standing) -> None:
    waits = steps.waits(standing, NOW)
    if standing.step is Step.RETIRE and standing.overlap_until == NOW + DAY:
        assert waits is Wait.GRACE
    unseen = standing.awaits_pick_up and standing.told
    if standing.step is Step.OVERLAP and unseen:
        assert (waits is Wait.PICK_UP) is (standing.mode is not Mode.INCIDENT)
    backed = steps.waits(replace(standing, kept_until=NOW + DAY), NOW)
    assert backed is (waits or (Wait.KEPT if standing.step is Step.RETIRE else None)), "an incident or not"
    assert steps.waits(replace(standing, kept_until=NOW), NOW) is waits
    if standing.step not in {Step.OVERLAP, Step.RETIRE}:
        assert waits is None


@pytest.mark.parametrize("standing", STANDINGS)
def test_there_is_a_way_back_exactly_until_the_old_one_ends(standing: Standing) -> None:
    ended = standing.overlap_until is not None and standing.overlap_until <= NOW
    running = standing.state is State.RUNNING and standing.step is not Step.REFUSE
    assert steps.may_roll_back(standing, NOW) is (running and not ended)


def test_an_incident_has_no_grace() -> None:
    assert steps.overlap_until(Mode.INCIDENT, DAY, NOW) == NOW
    assert steps.overlap_until(Mode.SCHEDULED, DAY, NOW) == NOW + DAY


@pytest.mark.parametrize(("kind", "days"), [("api_key", 90), ("webhook_secret", 90), ("session", 180)])
def test_the_runbooks_cadence(kind: str, days: int) -> None:
    def row(age: timedelta) -> bool:
        return cadence.dated(Held("x", kind, 1, NOW - age), NOW).due(NOW)

    assert not row(timedelta(days=days) - timedelta(seconds=1)) and row(timedelta(days=days))


@given(st.lists(st.tuples(st.sampled_from(sorted(POLICIES)), st.none() | st.integers(0, 400))))
def test_the_due_table_is_whole_sorted_and_exact(asked: list[tuple[str, int | None]]) -> None:
    secrets = [
        Held(f"s{place}", kind, 1, None if age is None else NOW - timedelta(days=age))
        for place, (kind, age) in enumerate(asked)
    ]
    table = cadence.table(secrets, NOW)
    assert sorted(row.held.name for row in table) == sorted(one.name for one in secrets)
    moments = [row.due_at or NOW - timedelta(days=10_000) for row in table]
    assert moments == sorted(moments)
    for row in table:
        late = row.held.since is None or NOW - row.held.since >= POLICIES[row.held.kind].cadence
        assert row.due(NOW) is late is (row.share >= 1)
    assert cadence.due(secrets, NOW) == [row for row in table if row.due(NOW)]
