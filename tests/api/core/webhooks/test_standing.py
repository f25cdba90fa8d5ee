"""How the queue stands: what waits for something else than a dispatcher is counted apart, its age, too."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.webhooks import claiming, settling, totals
from api.core.webhooks.standing import oldest_due, standing
from api.dispatching import OVERDUE_AFTER, check_overdue, may_send
from tests.api.core.webhooks.places import BAD, claim, endpoint_of, publish, told, tried
from tests.product import NOW

HOUR = timedelta(hours=1)


def pause(session: Session, scope: str, value: bool) -> None:
    key = FlagKey.WEBHOOK_RETRIES_PAUSED
    flags.set_value(session, key, scope, value, by="fnd_x", reason="test", now=NOW)


def due_at(session: Session, integration_id: str, moment: str) -> None:
    query = text("update webhook_deliveries set next_attempt_at = :n where endpoint_id = :e")
    session.execute(query, {"n": moment, "e": endpoint_of(session, integration_id)})


def test_each_delivery_is_counted_for_what_it_waits_for(session: Session, vault: Vault) -> None:
    waiting, paused, off, broken, busy = (told(session, vault) for _ in range(5))
    space = session.scalars(text("select space_id from integrations where id = :i"), {"i": paused}).one()
    for place in (waiting, paused, off, broken):
        publish(session, place, 2)
        due_at(session, place, str(NOW - HOUR))
    publish(session, busy, 100)
    due_at(session, busy, str(NOW - HOUR))
    pause(session, space, True)
    change = text("update webhook_endpoints set state = :s, not_before = :b where integration_id = :i")
    session.execute(change, {"s": "disabled", "b": None, "i": off})
    session.execute(change, {"s": "enabled", "b": NOW + HOUR, "i": broken})
    allowed = may_send({}, session)
    ours = {busy}
    taken = claiming.claim(session, vault, NOW, lambda one: one in ours, None)
    assert 0 < len(taken) < 100
    stands = standing(session, NOW, allowed)
    assert (stands.due, stands.held, stands.disabled, stands.slowed) == (2, 2, 2, 2 + 100 - len(taken))
    assert stands.in_flight == len(taken)
    assert stands.oldest_age(NOW) == HOUR
    move_to = NOW - timedelta(minutes=1)
    due_at(session, waiting, str(move_to))
    assert oldest_due(session, NOW, allowed) == move_to  # the hour of the others is their own
    pause(session, space, False)
    assert oldest_due(session, NOW, may_send({}, session)) == NOW - HOUR


def test_a_pause_of_a_space_holds_at_the_claim_and_what_is_in_flight_ends(
    session: Session, vault: Vault
) -> None:
    integration, other = told(session, vault), told(session, vault)
    space = session.scalars(text("select space_id from integrations where id = :i"), {"i": integration}).one()
    publish(session, integration, 500)
    publish(session, other)
    before = claiming.claim(session, vault, NOW, may_send({}, session), None)
    flying = [one for one in before if one.endpoint.integration_id == integration]
    pause(session, space, True)
    assert settling.settle(session, [tried(one) for one in before], NOW).outcomes.total() == len(before)
    publish(session, other)
    held = claiming.claim(session, vault, NOW, may_send({}, session), None)
    assert {one.endpoint.integration_id for one in held} == {other}
    settling.settle(session, [tried(one) for one in held], NOW)
    pause(session, space, False)
    later, resumed = NOW + HOUR, 0
    for _ in range(20):  # a bucket's worth at once, and then its rate
        taken = claiming.claim(session, vault, later, may_send({}, session), None)
        settling.settle(session, [tried(one) for one in taken], later)
        resumed += len(taken)
    assert resumed == 200 < 500 - len(flying)


def test_the_slo_pages_and_ends(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    publish(session, integration)
    due_at(session, integration, str(NOW))

    def open_alerts() -> int:
        rule = "select count(*) from alerts where rule = 'webhooks_overdue' and resolved_at is null"
        return session.scalars(text(rule)).one()

    check_overdue("test", {}, session, NOW + OVERDUE_AFTER - timedelta(seconds=1))
    assert open_alerts() == 0
    check_overdue("test", {}, session, NOW + OVERDUE_AFTER)
    assert open_alerts() == 1
    (one,) = claim(session, vault, NOW + OVERDUE_AFTER)
    check_overdue("test", {}, session, NOW + OVERDUE_AFTER)
    settling.settle(session, [tried(one)], NOW + OVERDUE_AFTER)
    assert open_alerts() == 0


def test_totals_add_up_over_processes(session: Session) -> None:
    before = totals.read(session)
    for latencies in ([3, 25, 26], [99_999]):
        count = totals.Count()
        count.tried(latencies)
        count.numbers.update({totals.CLAIMED: len(latencies), "delivered": 1})
        totals.add(session, count.take())
        totals.add(session, count.take())  # nothing new
    after = totals.read(session)
    assert after.claimed - before.claimed == 4
    assert after.outcomes["delivered"] - before.outcomes["delivered"] == 2
    grown = [(most, now - then) for (most, now), (_, then) in zip(after.latency, before.latency, strict=True)]
    assert grown[:2] == [("0.025", 2), ("0.05", 3)] and grown[-2:] == [("15.0", 3), ("+Inf", 4)]
    assert abs(after.latency_seconds - before.latency_seconds - 100.053) < 1e-6


def test_a_breaker_is_no_dispatchers_fault(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    publish(session, integration, 8)
    for _ in range(6):
        query = text("update webhook_endpoints set not_before = null where integration_id = :i")
        session.execute(query, {"i": integration})
        due_at(session, integration, str(NOW - HOUR))
        settling.settle(session, [tried(one, BAD) for one in claim(session, vault)], NOW)
    due_at(session, integration, str(NOW - HOUR))
    stands = standing(session, NOW, lambda _id: True)
    assert (stands.due, stands.slowed) == (0, 8) and stands.oldest_due is None
