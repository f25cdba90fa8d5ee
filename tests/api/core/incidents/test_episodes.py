"""From minutes to episodes: one a trip, whoever looks how often; what is done, seen, verified, proposed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from api.core.errors import Conflict, NotFound, Refused, Rejected, Unavailable
from api.core.evidence import service as evidence
from api.core.incidents import episode_queries, service
from api.core.incidents.decisions import ActionKind, Mode, RecentDeploy, RuleName
from api.core.incidents.exhaustion import Exhausted
from api.core.incidents.models import Action
from api.core.incidents.pace import MINUTE
from tests.api.core.incidents.world import World

GOOD, BAD = ("int_a", 0, 50), ("int_a", 30, 50)
OTHER_BAD = ("int_b", 30, 50)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def tripped(world: World, *bad: tuple[str, int, int]) -> list[str]:
    """Ten good minutes, then bad ones until just after the trip."""
    world.minutes(10, *(((one[0], 0, 50)) for one in bad))
    return world.minutes(12, *bad)


def done(world: World) -> dict[str, list[str]]:
    return {kind.value: one.did for kind, one in world.responses.items() if one.did}


def test_one_integration_in_breach_is_switched_off_and_onboarding_paused(world: World) -> None:
    world.minutes(10, GOOD, ("int_b", 0, 200))
    opened = world.minutes(14, BAD, ("int_b", 0, 200))
    assert len(opened) == 2, "the integration and, by its weight, the whole service"
    world.act()
    assert set(done(world)) == {"pause onboarding", "disable integration"}
    assert set(world.responses[ActionKind.DISABLE_INTEGRATION].did) == {"int_a"}
    for one in world.episodes():
        assert one.cause == "one integration" and one.mode == "auto"
        assert [action.state for action in one.actions] == ["observed", "observed"]
        assert [moment.kind for moment in one.timeline][:2] == ["first bad minute", "trip"]
        assert one.tripped_at - one.since >= 10 * MINUTE
    assert {rule for rule, _ in world.alerts()} == {"incident_tripped"}


def test_many_integrations_after_a_deploy_are_rolled_back(world: World) -> None:
    world.deploy = RecentDeploy("dep_2", "2.0", world.now + 5 * MINUTE)
    tripped(world, BAD, OTHER_BAD)
    world.act()
    assert set(done(world)["roll back"]) == {"production"}
    whole = next(one for one in world.episodes() if one.scope == "")
    assert whole.cause == "a recent deploy"


@pytest.mark.parametrize(
    ("deploy", "cause", "action"),
    [
        (None, "no recent deploy", "page incident owner"),
        (timedelta(hours=-25), "no recent deploy", "page incident owner"),
        (timedelta(minutes=-30), "a recent deploy", "roll back"),
    ],
)
def test_the_cause_chooses(world: World, deploy: timedelta | None, cause: str, action: str) -> None:
    world.deploy = RecentDeploy("dep_2", "2.0", world.now + deploy) if deploy is not None else None
    tripped(world, BAD, OTHER_BAD)
    whole = next(one for one in world.episodes() if one.scope == "")
    assert whole.cause == cause and [one.kind for one in whole.actions] == ["pause onboarding", action]


def test_an_irreversible_migration_blocks_the_rollback(world: World) -> None:
    world.deploy = RecentDeploy("dep_2", "2.0", world.now, irreversible=True)
    tripped(world, BAD, OTHER_BAD)
    world.act()
    assert "roll back" not in done(world) and "page rollback owner" in done(world)


def test_webhooks_given_up_pause_retries(world: World) -> None:
    world.minutes(3, GOOD)
    world.exhausted = [
        Exhausted(world.now - place * MINUTE, f"int_{place % 2}", f"host{place % 2}") for place in range(3)
    ]
    assert len(world.look()) == 1
    world.act()
    assert set(done(world)) == {"pause onboarding", "pause webhook retries"}


def test_readiness_that_failed_while_nobody_could_look_is_judged_afterwards(world: World) -> None:
    world.minutes(3, GOOD)
    world.probes("PPP" + "F" * 20 + "PPP")
    assert len(world.look()) == 1
    one = world.episode()
    assert (one.rule, one.cause) == ("R2", "the database") and one.numbers["failures"] == 14
    assert not world.look()
    world.minutes(40, GOOD)
    assert not world.look(), "an outage that was judged is not judged again"


def test_ten_late_runs_act_once(world: World) -> None:
    tripped(world, BAD, OTHER_BAD)
    before = len(world.episodes())
    for late in range(10):
        assert world.look(world.closing + timedelta(seconds=5 * late)) == []
    world.act()
    world.act()
    assert len(world.episodes()) == before
    assert len(world.responses[ActionKind.PAUSE_ONBOARDING].did) == before


def test_two_evaluators_at_once_open_one_episode_and_act_once(world: World) -> None:
    world.minutes(10, ("int_a", 0, 9), looking=False)
    world.minutes(11, ("int_a", 9, 9), looking=False)
    with ThreadPoolExecutor(4) as pool:
        opened = [one for found in pool.map(lambda _: world.look(), range(8)) for one in found]
        list(pool.map(lambda _: world.acting.act(), range(8)))
    assert len(opened) == 2 == len({(one.rule, one.scope) for one in world.episodes()})
    assert len(world.responses[ActionKind.PAUSE_ONBOARDING].did) == 2, "once for each of the two scopes"


def test_a_late_run_judges_the_newest_minute_only(world: World) -> None:
    world.minutes(10, GOOD, looking=False)
    world.minutes(12, BAD, looking=False)
    world.minutes(6, GOOD, looking=False)
    assert world.look() == [] and world.episodes() == []


def test_late_data_turns_pending_into_a_trip_and_never_back(world: World) -> None:
    world.minutes(10, GOOD)
    world.minutes(10, BAD)
    assert world.episodes() == []
    world.now -= 5 * MINUTE
    world.minutes(6, ("int_c", 40, 40), looking=False)
    assert world.look()
    opened = len(world.episodes())
    world.now -= 10 * MINUTE
    world.minutes(10, ("int_d", 0, 9000))
    assert len(world.episodes()) == opened and all(one.resolved_at is None for one in world.episodes())


def test_a_restart_in_the_middle_changes_nothing(world: World) -> None:
    """Nothing is remembered but what is stored: any look could have been the first."""
    world.minutes(10, GOOD, looking=False)
    world.minutes(10, BAD, looking=False)
    assert world.look() == []
    world.minute(BAD)
    assert World.look(world), "the first look of a new process trips as the old one's would have"


def test_a_telemetry_gap_pages_and_does_nothing(world: World) -> None:
    world.minutes(10, GOOD)
    world.minutes(5, BAD)
    world.silent(1)
    world.look()
    assert "fell silent" in dict(world.alerts())["incident_signal"] and world.episodes() == []
    world.minutes(20, GOOD)
    assert world.alerts() == []


def test_modes(world: World) -> None:
    world.configured = Mode.RECOMMEND
    tripped(world, BAD, OTHER_BAD)
    world.act()
    assert set(done(world)) == {"page incident owner"}, "a person is called, and does it"
    whole = next(one for one in world.episodes() if one.scope == "")
    assert [one.state for one in whole.actions] == ["recommended", "observed"]
    with world.transaction() as session:
        assert service.confirm(session, whole.id, actor="Ada", now=world.now, wall=world.now) == 1
    world.act()
    assert world.responses[ActionKind.PAUSE_ONBOARDING].did == [""]


def test_low_traffic_is_recommended_and_a_dry_run_tells_nobody(engine: Engine) -> None:
    quiet = World(engine)
    quiet.configured = None
    quiet.minutes(30, ("int_a", 1, 1))
    assert {one.mode for one in quiet.episodes()} == {"recommend"}
    dry = World(engine)
    override(dry, Mode.DRY_RUN)
    tripped(dry, BAD)
    dry.act()
    assert {one.mode for one in dry.episodes()} == {"dry-run"} and done(dry) == {} and dry.alerts() == []


def override(world: World, mode: Mode, **other: str) -> None:
    said = {"actor": "Ada", "reason": "a drill", **other}
    with world.transaction() as session:
        service.override(
            session, RuleName.EXCHANGE_RATE, mode, length=60 * MINUTE, now=world.now, wall=world.now, **said
        )


def test_an_override_has_actor_reason_and_end(world: World) -> None:
    for wrong in ({"actor": " "}, {"reason": ""}):
        with pytest.raises(Refused):
            override(world, Mode.AUTO, **wrong)
    world.configured = Mode.RECOMMEND
    override(world, Mode.AUTO)
    world.now += 61 * MINUTE
    tripped(world, BAD)
    assert {one.mode for one in world.episodes()} == {"recommend"}, "the override has expired"


def test_ten_minutes_later_it_is_looked_at_whether_it_helped(world: World) -> None:
    tripped(world, BAD)
    world.act()
    world.minutes(11, BAD)
    assert all(one.helped is False for one in world.episodes())
    assert any("did not help" in message for rule, message in world.alerts() if rule == "incident_followup")


def test_fifteen_clean_minutes_propose_and_a_person_resumes(world: World) -> None:
    (first, *_) = tripped(world, BAD)
    world.act()
    world.minutes(19, ("int_a", 0, 0))
    one = next(found for found in world.episodes() if found.id == first)
    assert one.helped and one.state == "resume proposed" and one.resolved_at is None
    for each in world.episodes():
        with world.transaction() as session:
            undone = [undo.target for undo in service.to_undo(session, each.id)]
            service.resolve(
                session, each.id, actor="Ada", reason="fixed", undone=undone, env="test", now=world.now,
                wall=world.now,
            )  # fmt: skip
    assert world.alerts() == [] and all(found.state == "resolved" for found in world.episodes())
    with world.transaction() as session:
        assert evidence.verify(session, "incidents") is None
        with pytest.raises(Conflict):
            service.to_undo(session, first)
        with pytest.raises(NotFound):
            service.to_undo(session, "inc_none")


def test_resuming_takes_back_only_what_no_other_incident_still_wants(world: World) -> None:
    tripped(world, BAD)
    world.act()
    one, other = world.episodes()
    with world.transaction() as session:
        assert service.to_undo(session, one.id) == []
        service.resolve(
            session, one.id, actor="Ada", reason="x", undone=[], env="test", now=world.now, wall=world.now
        )
        kinds = {undo.kind for undo in service.to_undo(session, other.id)}
    assert kinds == {ActionKind.PAUSE_ONBOARDING, ActionKind.DISABLE_INTEGRATION}


def test_a_cool_down_of_half_an_hour(world: World) -> None:
    tripped(world, BAD)
    for one in world.episodes():
        with world.transaction() as session:
            service.resolve(
                session, one.id, actor="Ada", reason="x", undone=[], env="test", now=world.now, wall=world.now
            )
    tripped_at = max(one.tripped_at for one in world.episodes())
    assert world.minutes(25, BAD) == []
    reopened = world.minutes(8, BAD)
    assert {one.number for one in world.episodes() if one.id in reopened} == {2}
    assert all(
        one.tripped_at - tripped_at >= timedelta(minutes=29) for one in world.episodes() if one.id in reopened
    )


def test_an_effect_that_does_not_show_calls_a_person(world: World) -> None:
    world.responses[ActionKind.PAUSE_ONBOARDING].works = False
    tripped(world, BAD)
    world.act()
    world.now += 6 * MINUTE
    world.act()
    states = {
        action.state for one in world.episodes() for action in one.actions if "onboarding" in action.kind
    }
    assert states == {"unobserved"}
    assert any("not to be seen" in message for _, message in world.alerts())
    world.responses[ActionKind.PAUSE_ONBOARDING].works = True
    world.act()
    assert {a.state for one in world.episodes() for a in one.actions} == {"observed"}, (
        "it is looked for further on"
    )


def test_an_action_that_fails_is_tried_again_or_tells(world: World) -> None:
    away = Unavailable("The supervisor is away.", provider="x", operation="y")
    never = Rejected("No.", provider="x", operation="y")
    world.responses[ActionKind.PAUSE_ONBOARDING].errors = [away]
    world.responses[ActionKind.DISABLE_INTEGRATION].errors = [never, never]
    tripped(world, BAD)
    world.act()
    assert len(world.responses[ActionKind.PAUSE_ONBOARDING].did) == 1, "the other incident's"
    world.act()
    assert len(world.responses[ActionKind.PAUSE_ONBOARDING].did) == 2
    assert {a.state for a in raw(world) if "disable" in a.kind} == {"failed"}
    assert any("failed: No." in message for _, message in world.alerts())


def test_who_died_in_the_middle_of_an_action_is_followed(world: World) -> None:
    tripped(world, BAD)
    with world.transaction() as session:
        claimed = episode_queries.claim_action(session, "dead", world.closing, world.closing + MINUTE)
    assert claimed is not None
    world.act()
    assert claimed.id not in {a.id for a in raw(world) if a.state == "observed"}
    world.now += 2 * MINUTE
    world.act()
    assert {a.state for a in raw(world)} == {"observed"}


def raw(world: World) -> list[Action]:
    with world.transaction() as session:
        return [a for one in world.episodes() for a in episode_queries.actions(session, one.id)]


_STEP = st.sampled_from(["good", "bad", "worse", "silent", "late", "act"])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(_STEP, st.integers(1, 12)), max_size=6))
def test_whatever_happens_there_is_one_open_episode_a_scope_and_each_acts_once(
    engine: Engine, steps: list[tuple[str, int]]
) -> None:
    world = World(engine)
    for step, times in steps:
        if step == "silent":
            world.silent(times)
        elif step in ("late", "act"):
            for _ in range(times):
                world.look() if step == "late" else world.act()
        else:
            world.minutes(times, {"good": GOOD, "bad": BAD, "worse": OTHER_BAD}[step])
    world.act()
    found = world.episodes()
    keys = [(one.rule, one.scope) for one in found]
    assert len(keys) == len(set(keys))
    assert len(world.responses[ActionKind.PAUSE_ONBOARDING].did) == len(found)
