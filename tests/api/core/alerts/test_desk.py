"""Alerts on a real database, from the condition to the channel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.alerts import outbox, service, views, watching
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import LEASE, Words
from api.core.errors import Expired, NotFound, Refused
from api.core.evidence import service as evidence
from api.db.engine import session_scope
from tests.api.core.alerts.channels import Recorder, codes, gone, throttled, unavailable
from tests.product import NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ENV = "production"


@dataclass
class World:
    """A desk whose clock stands until it is moved."""

    engine: Engine
    primary: Recorder = field(default_factory=Recorder)
    fallback: Recorder = field(default_factory=lambda: Recorder(fingerprint="b"))
    now: datetime = NOW

    def transaction(self) -> AbstractContextManager[Session]:
        return session_scope(self.engine)

    @property
    def desk(self) -> Desk:
        channels = {"primary": self.primary, "fallback": self.fallback}
        return Desk(self.transaction, channels, Words(ENV, "https://app.example"), lambda: self.now)

    def later(self, length: timedelta) -> None:
        """As time goes by: checked and sent again and again."""
        end, step = self.now + length, max(5 * SECOND, length / 60)
        while self.now < end:
            self.now = min(end, self.now + step)
            self.desk.check()
            self.desk.send_due()

    def raise_(self, rule: str = "retries_exhausted", scope: str = "we_1", **metadata: str) -> str | None:
        with self.transaction() as session:
            return service.raise_(
                session, rule, scope, "int_1", env=ENV, message="It is so.", now=self.now, metadata=metadata
            )

    def resolve(self, rule: str = "retries_exhausted", scope: str = "we_1") -> bool:
        with self.transaction() as session:
            return service.resolve(session, rule, scope, "int_1", env=ENV, now=self.now)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    @contextmanager
    def cleared() -> Iterator[None]:
        tables = "alerts, alert_channels, alert_silences, heartbeats, answer_minutes"
        with session_scope(engine) as session:
            session.execute(text(f"truncate {tables} cascade"))
        yield

    with cleared():
        yield World(engine)
    with cleared():
        pass


def test_a_group_is_one_message_that_names_all_of_it(world: World) -> None:
    for number in range(3):
        world.raise_(delivery_id=f"dlv_{number}", attempt="10", status="500")
        world.later(5 * SECOND)
    assert world.primary.got == []  # the group still waits
    world.later(20 * SECOND)
    (message,) = world.primary.got
    assert (message.key, message.severity) == (f"{ENV}|retries_exhausted|we_1|int_1", "error")
    assert message.metadata["integration_app_id"] == "int_1" and message.metadata["delivery_id"] == "dlv_2"
    assert all(f"dlv_{number}" in message.message for number in range(3))
    assert message.runbook.endswith("alert-retries-exhausted.md")
    world.raise_(delivery_id="dlv_9")
    world.later(MINUTE)
    assert len(world.primary.got) == 1  # deduplicated, and not lost:
    with world.transaction() as session:
        (alert,) = views.open_alerts(session, "")
        assert len(views.occurrences(session, alert.id)) == 4 and alert.seen == 4


def test_other_scopes_and_partners_are_other_alerts(world: World) -> None:
    first, second = world.raise_(scope="we_1"), world.raise_(scope="we_2")
    with world.transaction() as session:
        third = service.raise_(session, "retries_exhausted", "we_1", "int_2", env=ENV, message="-", now=NOW)
        fourth = service.raise_(
            session, "retries_exhausted", "we_1", "int_1", env="staging", message="-", now=NOW
        )
    assert len({first, second, third, fourth}) == 4


def test_it_repeats_after_four_hours_and_ends_with_its_duration(world: World) -> None:
    world.raise_("flow_failed")
    world.later(MINUTE)
    world.now += 4 * HOUR
    world.later(10 * SECOND)
    assert world.primary.kinds == ["firing", "repeat"]
    assert world.resolve("flow_failed")
    world.later(10 * SECOND)
    assert world.primary.kinds == ["firing", "repeat", "resolved"]
    end = world.primary.got[-1]
    assert "Over after 4 h 1 min" in end.message and end.key == world.primary.got[0].key
    assert end.earlier == "r1" and end.ack_url == ""
    assert not world.resolve("flow_failed")


def test_what_ends_within_the_group_wait_is_never_told(world: World) -> None:
    world.raise_("flow_failed")
    world.resolve("flow_failed")
    world.later(MINUTE)
    assert world.primary.got == []


def test_a_parents_outage_opens_no_children_but_lets_them_end(world: World) -> None:
    world.raise_("burst_5xx", scope="before")
    with world.transaction() as session:
        service.raise_(session, "database_unavailable", env=ENV, message="-", now=world.now)
    assert world.raise_("burst_5xx", scope="during") is None
    assert world.raise_() is not None  # what was lost is listed, whatever else is wrong
    assert world.resolve("burst_5xx", "before")


def test_getting_worse_is_told_at_once(world: World) -> None:
    world.raise_("flow_failed")
    world.later(MINUTE)
    with world.transaction() as session:
        service.raise_(
            session, "flow_failed", "we_1", "int_1", env=ENV, message="!", now=world.now, severity="critical"
        )
    world.later(2 * SECOND)
    assert [message.severity for message in world.primary.got] == ["error", "critical"]


def test_no_channel_gets_more_than_one_message_a_second(world: World) -> None:
    for number in range(4):
        world.raise_(scope=f"we_{number}")
    world.now += MINUTE
    for sent in range(4):
        assert world.desk.send_due() == 1
        world.now += 0.9 * SECOND
        assert world.desk.send_due() == 0
        world.now += 0.1 * SECOND
        assert len(world.primary.got) == sent + 1


def test_the_worst_goes_first(world: World) -> None:
    world.raise_(scope="error")
    world.raise_("burst_5xx", scope="critical")
    world.later(MINUTE)
    assert [message.severity for message in world.primary.got] == ["critical", "error"]


def test_retry_after_is_kept_for_the_whole_channel(world: World) -> None:
    world.primary.failures = [throttled(60)]
    world.raise_(scope="we_1")
    world.raise_(scope="we_2")
    world.now += 30 * SECOND
    world.desk.send_due()
    world.now += 59 * SECOND
    assert world.desk.send_due() == 0 and world.primary.failures == []
    world.later(10 * SECOND)
    assert len(world.primary.got) == 2


def test_an_hour_of_failing_hands_over_to_the_fallback(world: World) -> None:
    world.primary.failures = [unavailable() for _ in range(1000)]
    world.raise_()
    world.later(50 * MINUTE)
    assert world.fallback.got == [] and len(world.primary.failures) < 990
    world.later(20 * MINUTE)
    assert world.fallback.kinds == ["firing"]


def test_a_dead_channel_is_left_and_the_other_is_told(world: World) -> None:
    world.primary.failures = [gone()]
    world.raise_()
    world.later(2 * MINUTE)
    assert world.primary.got == []
    assert {message.title for message in world.fallback.got} == {
        "Webhook retries exhausted",
        "An alert channel is dead",
    }
    world.raise_(scope="we_2")
    world.later(MINUTE)
    assert world.primary.got == [] and len(world.fallback.got) == 3
    with world.transaction() as session:
        assert [one.name for one in views.channels(session) if one.dead_since] == ["primary"]
    world.primary.fingerprint = "new address"
    world.raise_(scope="we_3")
    world.later(MINUTE)
    assert len(world.primary.got) == 1


def test_without_a_living_channel_messages_wait_for_one(world: World) -> None:
    world.primary.failures, world.fallback.failures = [gone()], [gone()]
    world.raise_()
    world.later(2 * MINUTE)
    assert world.primary.got == world.fallback.got == []
    with world.transaction() as session:
        assert views.waiting(session, world.now) == 3
        assert outbox.revive(session, "primary", ENV, world.now)
    world.later(MINUTE)
    assert "Webhook retries exhausted" in {message.title for message in world.primary.got}


def test_a_silence_holds_back_and_its_end_lets_go(world: World) -> None:
    with world.transaction() as session:
        silence_id = service.silence(
            session, rule="retries_exhausted", owner="Ada", reason="moving", length=HOUR, now=world.now
        )
    world.raise_()
    world.raise_("flow_failed")
    world.later(5 * MINUTE)
    assert [message.title for message in world.primary.got] == ["A flow run failed"]
    with world.transaction() as session:
        service.unsilence(session, silence_id, "Ada", world.now)
    world.later(MINUTE)
    assert len(world.primary.got) == 2


@pytest.mark.parametrize(
    "wrong",
    [{"owner": " "}, {"reason": ""}, {"length": timedelta(0)}, {"length": timedelta(days=8)}, {"rule": "x"}],
)
def test_a_silence_has_owner_reason_and_end(session: Session, wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"owner": "Ada", "reason": "moving", "length": HOUR}
    with pytest.raises(Refused):
        service.silence(session, now=NOW, **(good | wrong))  # type: ignore[arg-type]


def test_killed_between_sent_and_marked_is_sent_at_most_twice(world: World) -> None:
    world.raise_()
    world.now += MINUTE
    with world.transaction() as session:
        claimed = outbox.claim(session, world.desk.channels, world.desk.words, world.now)
    assert claimed is not None
    world.primary.send(claimed.message)  # and here it was killed
    world.now += LEASE - SECOND
    assert world.desk.send_due() == 0  # still its own
    world.later(MINUTE)
    assert world.primary.kinds == ["firing", "firing"]
    assert len({message.id for message in world.primary.got}) == 1
    with world.transaction() as session:  # back from the dead, it changes nothing
        assert not outbox.sent(session, claimed, "late", world.now)
        outbox.failed(session, claimed, "late", others=True, now=world.now, chance=0.5)
    world.later(MINUTE)
    assert len(world.primary.got) == 2


def test_receipts_from_accepted_to_a_named_person(world: World) -> None:
    def level() -> str:
        with world.transaction() as session:
            return views.open_alerts(session, "")[0].receipt

    world.primary.reads_back = None
    with world.transaction() as session:
        alert_id = service.test(session, ENV, "Ada", world.now)
    assert level() == ""
    world.desk.send_due()
    assert level() == "L0"
    world.primary.reads_back = True
    with world.transaction() as session:
        session.execute(text("update alerts set opened_at = opened_at - interval '5 h', notified_at = null"))
    world.later(10 * SECOND)
    assert level() == "L1"
    first, second = codes(world.primary.got)
    with world.transaction() as session:
        assert service.acknowledgeable(session, first, world.now) == alert_id
        assert service.acknowledgeable(session, first, world.now) == alert_id  # looking uses nothing up
        with pytest.raises(Refused):
            service.acknowledge_by_code(session, first, " ", world.now)
        assert service.acknowledge_by_code(session, first, "Grace  Hopper", world.now) == alert_id
        with pytest.raises(Expired, match="Grace Hopper"):
            service.acknowledge_by_code(session, first, "Ada", world.now)
        with pytest.raises(NotFound):
            service.acknowledge_by_code(session, "guessed", "Ada", world.now)
        with pytest.raises(Expired):
            service.acknowledgeable(session, second, world.now + timedelta(days=3))
    assert level() == "L2"
    with world.transaction() as session:
        kept = session.execute(text("select code_sha256::text from alert_ack_codes")).scalars().all()
        receipts = [(one.kind, one.body["level"]) for one in evidence.records(session, service.STREAM)]
        assert receipts[-4:] == [
            ("accepted", "L0"),
            ("accepted", "L0"),
            ("read_back", "L1"),
            ("acknowledged", "L2"),
        ]
        assert evidence.verify(session, service.STREAM) is None
    assert not [code for code in (first, second) if any(code in row for row in kept)]


def test_a_loop_that_falls_silent_is_missed_until_it_beats_again(world: World) -> None:
    with world.transaction() as session:
        service.beat(session, "dispatcher", MINUTE, world.now)
        service.beat(session, "leaving", MINUTE, world.now)
        service.retire(session, "leaving")
    world.later(50 * SECOND)
    assert world.primary.got == []
    world.later(MINUTE)
    assert world.primary.kinds == ["firing"] and "dispatcher" in world.primary.got[0].message
    with world.transaction() as session:
        service.beat(session, "dispatcher", MINUTE, world.now)
    world.later(10 * SECOND)
    assert world.primary.kinds == ["firing", "resolved"]


def test_a_machine_that_slept_does_not_page_for_what_slept_with_it(world: World) -> None:
    with world.transaction() as session:
        service.beat(session, "beacon", MINUTE, world.now)
    world.later(10 * SECOND)
    world.now += 8 * HOUR
    world.later(30 * SECOND)
    with world.transaction() as session:
        service.beat(session, "beacon", MINUTE, world.now)
    world.later(MINUTE)
    assert world.primary.got == []


def test_a_burst_of_5xx_pages_and_is_over_after_five_quiet_minutes(world: World) -> None:
    def count(answers: int, failures: int) -> bool:
        with world.transaction() as session:
            minute = world.now.replace(second=0, microsecond=0)
            return watching.count_answers(session, ENV, minute, answers, failures, world.now)

    assert not count(1000, 9) and not count(10, 1)  # of two processes: 10 of 1,010 is a trickle
    assert count(10, 60)
    world.later(MINUTE)
    (message,) = world.primary.got
    assert "70 of 1020" in message.message and message.severity == "critical"
    world.later(5 * MINUTE)
    assert world.primary.kinds == ["firing", "resolved"]


def test_of_many_desks_at_once_one_sends(world: World) -> None:
    for number in range(3):
        world.raise_(scope=f"we_{number}")
    for _ in range(12):
        world.now += 20 * SECOND
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: world.desk.send_due(), range(4)))
            list(pool.map(lambda _: world.desk.check(), range(4)))
    assert sorted(message.key for message in world.primary.got) == sorted(
        {message.key for message in world.primary.got}
    )
    assert len(world.primary.got) == 3


def test_raising_in_a_transaction_that_rolls_back_raises_nothing(world: World, session: Session) -> None:
    service.raise_(session, "retries_exhausted", "we_1", "int_1", env=ENV, message="-", now=NOW)
    session.rollback()
    world.later(MINUTE)
    assert world.primary.got == []


def test_what_ended_long_ago_is_forgotten(world: World) -> None:
    world.raise_()
    world.raise_("flow_failed")
    world.resolve("flow_failed")
    with world.transaction() as session:
        assert service.forget(session, world.now) == 0
        assert service.forget(session, world.now + timedelta(days=91)) == 1
        assert len(views.open_alerts(session, "")) == 1
