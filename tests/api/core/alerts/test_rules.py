"""The rules, and their whole interplay on a real database, whatever happens in whatever order."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from api.core.alerts import rules, service
from api.core.alerts.catalogue import RULES, Severity
from api.core.alerts.messages import duration
from api.core.alerts.rules import REPEAT_EVERY, RETRY_FOR, Raised, Scope, identity
from api.db.engine import session_scope
from tests.api.core.alerts.channels import unavailable
from tests.api.core.alerts.test_desk import World
from tests.product import NOW

words = st.text(min_size=0, max_size=8)


@given(words, words, words, words)
def test_an_identity_has_four_parts_whatever_they_hold(env: str, rule: str, scope: str, app_id: str) -> None:
    assert identity(env, rule, scope, app_id).count("|") == 3


@given(st.sampled_from(list(Severity)), st.sampled_from([None, *Severity]), st.booleans())
def test_a_parent_suppresses_openings_only(new: str, known: str | None, parent: bool) -> None:
    decided = rules.raised(known, new, parent_open=parent)
    assert (decided is Raised.SUPPRESSED) == (known is None and parent)
    assert (decided is Raised.OPENED) == (known is None and not parent)


@given(st.integers(1, 10_000), st.floats(0, 3600), st.floats(0, 1), st.none() | st.floats(0, 3600))
def test_a_retry_is_later_within_the_hour_and_after_retry_after(
    attempt: int, tried_for: float, chance: float, after: float | None
) -> None:
    wait = timedelta(seconds=after) if after is not None else None
    now = NOW + timedelta(seconds=tried_for)
    at = rules.retry_at(attempt, NOW, now, chance, wait)
    if at is not None:
        assert now < at <= NOW + RETRY_FOR and at - now >= (wait or timedelta(0))
        assert wait or at - now <= rules.RETRY_LONGEST * (1 + rules.JITTER)


@given(st.integers(0, 10_000), st.integers(0, 100_000))
def test_a_burst_is_many_and_not_a_trickle(failures: int, more: int) -> None:
    if rules.burst(failures, failures + more):
        assert failures >= 10 and failures / (failures + more) >= 0.05
    if failures >= 10 and more == 0:
        assert rules.burst(failures, failures)


def test_a_silence_covers_what_it_names_and_nothing_else() -> None:
    assert Scope().covers("r", "s", "a") and Scope(rule="r").covers("r", "s", "a")
    assert not Scope(rule="r", app_id="b").covers("r", "s", "a")


def test_durations_read_well() -> None:
    said = [duration(timedelta(seconds=seconds)) for seconds in (0, 45, 119, 120, 3599, 3600, 12_000)]
    assert said == ["0 s", "45 s", "119 s", "2 min", "1 h 0 min", "1 h 0 min", "3 h 20 min"]


def test_every_rule_has_a_runbook_and_known_parents() -> None:
    for rule in RULES.values():
        assert set(rule.parents) <= RULES.keys() and rule.runbook.startswith("alert-")


event = st.tuples(
    st.sampled_from(["raise", "raise", "resolve", "silence", "away", "nothing"]),
    st.integers(1, 600) | st.sampled_from([2 * 3600, 5 * 3600]),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(event, max_size=10))
def test_each_outage_is_told_once_and_its_end_once(engine: Engine, events: list[tuple[str, int]]) -> None:
    with session_scope(engine) as session:
        session.execute(text("truncate alerts, alert_channels, alert_silences, heartbeats cascade"))
    world, raised = World(engine), 0
    for what, seconds in events:
        if what == "raise":
            raised += world.raise_("flow_failed", delivery_id=f"d{raised}") is not None
        elif what == "resolve":
            world.resolve("flow_failed")
        elif what == "silence":
            with world.transaction() as session:
                service.silence(session, owner="A", reason="b", length=timedelta(minutes=3), now=world.now)
        elif what == "away":
            world.primary.failures = [unavailable()]
        world.now += timedelta(seconds=seconds)
        world.desk.check()
        world.desk.send_due()
        sent_at = world.now
        assert all(message.at <= sent_at for message in world.primary.got)
    world.resolve("flow_failed")
    for _ in range(8):
        world.now += timedelta(minutes=15)
        world.desk.check()
        world.desk.send_due()
    got = sorted([*world.primary.got, *world.fallback.got], key=lambda message: message.at)
    told = [message for message in got if message.kind != "repeat"]
    assert [message.kind for message in told] == ["firing", "resolved"] * (len(told) // 2)
    assert len({message.id for message in got}) == len(got)
    with world.transaction() as session:
        kept = session.execute(text("select count(*) from alert_occurrences")).scalar_one()
        waits = session.execute(
            text(
                "select min(sent_at - opened_at) from alert_messages m join alerts a on a.id = m.alert_id"
                " where kind = 'firing'"
            )
        ).scalar_one()
        repeats = session.execute(
            text(
                "select min(later.sent_at - earlier.sent_at) from alert_messages later"
                " join alert_messages earlier on earlier.alert_id = later.alert_id"
                " and earlier.seq < later.seq"
                " where later.kind = 'repeat'"
            )
        ).scalar_one()
    assert kept == raised
    assert waits is None or waits >= timedelta(seconds=30)
    assert repeats is None or repeats >= REPEAT_EVERY
