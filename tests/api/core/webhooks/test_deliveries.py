"""Claim, act, settle: nothing is lost, nobody settles what is another's, no endpoint stands in the way."""

import json
from datetime import datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import entry_queries, grants, waitlist
from api.core.crypto import Vault
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.privacy import tombstones
from api.core.webhooks import claiming, settling, standing
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.claiming import LEASE
from api.core.webhooks.schedule import WAITS
from tests.api.core.webhooks.places import (
    BAD,
    attempts,
    claim,
    delivery,
    endpoint_of,
    given_back,
    move,
    publish,
    told,
    tried,
)
from tests.product import NOW


def test_an_event_is_one_message_of_exact_bytes(session: Session, vault: Vault) -> None:
    (message,) = publish(session, told(session, vault))
    (claimed,) = claim(session, vault)
    assert claimed.message_id == message
    body = json.loads(claimed.body)
    assert body == {"type": "webhook.test", "timestamp": "2025-09-27T12:00:00.000Z", "data": {"number": 0}}
    assert claimed.endpoint.keys[0].startswith("whsec_")


def test_what_was_delivered_leaves_only_its_attempt(session: Session, vault: Vault) -> None:
    publish(session, told(session, vault))
    (claimed,) = claim(session, vault)
    assert settling.settle(session, [tried(claimed)], NOW).outcomes.total() == 1
    assert delivery(session, claimed.id) is None
    (attempt,) = attempts(session, claimed.id)
    assert (attempt["outcome"], attempt["number"], attempt["status"]) == ("delivered", 1, 200)
    assert attempt["response"] == "ok"


def test_a_claim_is_nobody_elses_until_its_lease_ends(session: Session, vault: Vault) -> None:
    publish(session, told(session, vault), 3)
    first = claim(session, vault)
    assert len(first) == 3
    assert claim(session, vault, NOW + LEASE) == []
    late = NOW + LEASE + timedelta(seconds=1)
    again = claim(session, vault, late)
    assert {one.id for one in again} == {one.id for one in first}
    assert settling.settle(session, [tried(one) for one in first], late).outcomes.total() == 0
    assert settling.settle(session, [tried(one) for one in again], late).outcomes.total() == 3


def test_what_one_worker_claimed_twice_counts_once(session: Session, vault: Vault) -> None:
    """Its lease ran out under its hands, and both of its tries are settled together."""
    publish(session, told(session, vault))
    (first,) = claim(session, vault)
    late = NOW + LEASE + timedelta(seconds=1)
    (again,) = claim(session, vault, late)
    assert first.id == again.id
    spent = [one._replace(attempts=len(WAITS) - 1) for one in (first, again)]
    settled = settling.settle(session, [tried(one, BAD, late) for one in spent], late)
    assert [one.claimed.claim_id for one in settled.exhausted] == [again.claim_id]


def test_two_claims_at_once_share_out_the_endpoints(engine: Engine, vault: Vault) -> None:
    with Session(engine) as session, session.begin():
        for _ in range(2):
            publish(session, told(session, vault), 4)
    try:
        with Session(engine) as one, Session(engine) as other:
            mine = claim(one, vault, most=4)
            assert claim(other, vault) == []  # what another looks at is passed over, not waited for
            one.commit()
            theirs = claim(other, vault)
            assert (len(mine), len(theirs)) == (4, 4)
            assert {claimed.endpoint.id for claimed in mine} != {claimed.endpoint.id for claimed in theirs}
    finally:
        with Session(engine) as session, session.begin():
            session.execute(text("delete from webhook_deliveries"))


def test_an_endpoint_with_something_in_flight_waits_and_the_others_do_not(
    session: Session, vault: Vault
) -> None:
    slow, quick = told(session, vault), told(session, vault)
    publish(session, slow, 300)
    publish(session, quick, 5)
    claimed = claim(session, vault)
    assert len([one for one in claimed if one.endpoint.integration_id == quick]) == 5
    assert len([one for one in claimed if one.endpoint.integration_id == slow]) == 64
    settling.settle(session, [tried(one) for one in claimed if one.endpoint.integration_id == quick], NOW)
    publish(session, quick, 2)
    assert {one.endpoint.integration_id for one in claim(session, vault)} == {quick}


def test_it_is_given_up_after_ten_attempts_and_kept(session: Session, vault: Vault) -> None:
    publish(session, told(session, vault))
    now = NOW
    for number in range(1, len(WAITS) + 1):
        (claimed,) = claim(session, vault, now)
        settled = settling.settle(session, [tried(claimed, BAD, now)], now)
        kept = delivery(session, claimed.id)
        assert kept["attempts"] == number
        now = max(kept["next_attempt_at"], now + timedelta(minutes=6))  # behind the breaker, too
    assert [one.claimed.id for one in settled.exhausted] == [claimed.id]
    assert kept["state"] == "exhausted"
    assert claim(session, vault, now + timedelta(days=30)) == []
    assert [one["outcome"] for one in attempts(session, claimed.id)][-2:] == ["retried", "exhausted"]


def test_an_endpoint_that_is_gone_is_disabled_and_what_is_due_is_held(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    publish(session, integration, 2)
    one, other = claim(session, vault)
    gone = Attempt(Failure.REFUSED, 410)
    settled = settling.settle(session, [tried(one, gone), given_back(other)], NOW)
    assert settled.disabled == [(endpoint_of(session, integration), "It answered 410 Gone.")]
    publish(session, integration)
    assert claim(session, vault, NOW + timedelta(days=2)) == []
    move(session, integration, "https://new.example/")
    again = claim(session, vault, NOW + timedelta(days=2))
    assert len(again) == 3
    assert {claimed.endpoint.url for claimed in again} == {"https://new.example/"}


def test_a_busy_endpoint_is_asked_later_and_no_attempt_is_used_up(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    publish(session, integration, 2)
    session.execute(text("update webhook_deliveries set created_at = :n"), {"n": NOW})
    one, other = claim(session, vault)
    busy = Attempt(Failure.REFUSED, 503, retry_after="120")
    settling.settle(session, [tried(one, busy), given_back(other)], NOW)
    assert delivery(session, one.id)["attempts"] == 0
    assert claim(session, vault, NOW + timedelta(seconds=119)) == []
    assert len(claim(session, vault, NOW + timedelta(seconds=121))) == 2


def test_a_pause_holds_what_is_due(session: Session, vault: Vault) -> None:
    paused, free = told(session, vault), told(session, vault)
    publish(session, paused)
    publish(session, free)
    claimed = claiming.claim(session, vault, NOW, lambda integration: integration != paused, None)
    assert [one.endpoint.integration_id for one in claimed] == [free]
    assert [one.endpoint.integration_id for one in claim(session, vault)] == [paused]


def test_the_rate_of_an_endpoint_holds(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    session.execute(text("update webhook_endpoints set rate = 2"))
    session.execute(text("update webhook_lanes set tokens = 3, tokens_at = :n"), {"n": NOW})
    publish(session, integration, 10)
    first = claim(session, vault)
    assert len(first) == 3
    settling.settle(session, [tried(one) for one in first], NOW)
    assert claim(session, vault) == []
    assert len(claim(session, vault, NOW + timedelta(seconds=1))) == 2


def test_changes_tell_of_themselves_in_their_own_transaction(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    entry_id = waitlist.join(session, vault, integration, "anna@partner.example", NOW, "anna@mail.example")
    waitlist.decide(session, entry_id, "accept", NOW)
    user_id = waitlist.entry(session, entry_id).user_id
    session.execute(
        text(
            "insert into grants (id, integration_id, entry_id, external_user_id, created_at)"
            " values ('grt_1', :i, :e, 'anna', :n)"
        ),
        {"i": integration, "e": entry_id, "n": NOW},
    )
    grants.revoke(session, integration, "grt_1", NOW)
    flags.set_value(session, FlagKey.ONBOARDING_PAUSED, "", True, by="fnd_x", reason="test", now=NOW)
    query = text("select type, body from webhook_messages where integration_id = :i order by id")
    rows = list(session.execute(query, {"i": integration}))
    tombstones.forget(session, user_id, by="fnd_x", at=NOW)
    rows += session.execute(query, {"i": integration}).all()[1:]  # the pause before it stays
    sent = {type: bytes(body).decode() for type, body in rows}
    assert list(sent) == [
        "waitlist.entry.created",
        "waitlist.entry.accepted",
        "access.granted",
        "access.revoked",
        "onboarding.paused",
        "user.deleted",
    ]
    assert "anna" not in "".join(sent.values())
    assert {json.loads(body)["data"]["integration_id"] for body in sent.values()} == {integration}
    assert user_id in sent["access.granted"]
    assert entry_queries.entry(session, entry_id) is None


def test_nobody_listens_and_nothing_is_kept(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    move(session, integration, None)
    assert publish(session, integration) == []
    move(session, integration, "https://a.example/")
    session.execute(
        text("update webhook_endpoints set event_types = '{access.granted}' where integration_id = :i"),
        {"i": integration},
    )
    assert publish(session, integration) == []


def test_what_is_dated_back_behind_the_last_claim_is_found_by_a_sweep(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    session.execute(text("update webhook_lanes set watermark = :n"), {"n": NOW - timedelta(hours=1)})
    (lifted,) = publish(session, integration)  # an event never is
    (claimed,) = claim(session, vault)
    assert claimed.message_id == lifted
    settling.settle(session, [tried(claimed)], NOW)
    publish(session, integration, 2)
    session.execute(
        text("update webhook_deliveries set next_attempt_at = :n"), {"n": NOW - timedelta(days=1)}
    )
    assert claim(session, vault) == []
    claiming.sweep(session)
    assert len(claim(session, vault)) == 2


def test_what_fails_late_is_not_behind_the_watermark(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    publish(session, integration, 3)
    first, *others = claim(session, vault)
    settling.settle(session, [tried(first), *(given_back(one) for one in others)], NOW)
    assert {one.id for one in claim(session, vault)} == {one.id for one in others}


def test_paused_endpoints_hide_nobody_behind_them(session: Session, vault: Vault) -> None:
    paused = [told(session, vault) for _ in range(40)]
    for integration in paused:
        publish(session, integration)
    free = max(paused, key=lambda integration: endpoint_of(session, integration))
    claimed = claiming.claim(session, vault, NOW, lambda integration: integration == free, None)
    assert [one.endpoint.integration_id for one in claimed] == [free]


def test_a_clock_that_was_ahead_holds_a_lane_no_longer_than_a_lease(session: Session, vault: Vault) -> None:
    """Nor does it keep a bucket empty; what is claimed by the right clock is left alone."""
    integration = told(session, vault)
    publish(session, integration, 3)
    now = standing.database_now(session)
    assert claim(session, vault, now)
    claiming.sweep(session)
    assert lane(session, integration) == (now + LEASE, now)
    ahead = now + timedelta(hours=1)
    assert claim(session, vault, ahead)
    claiming.sweep(session)
    until, filled = lane(session, integration)
    assert now + LEASE <= until < now + 2 * LEASE and filled < ahead
    assert len(claim(session, vault, until + timedelta(seconds=1))) == 3


def lane(session: Session, integration_id: str) -> tuple[datetime, datetime]:
    query = text("select claimed_until, tokens_at from webhook_lanes where endpoint_id = :e")
    until, filled = session.execute(query, {"e": endpoint_of(session, integration_id)}).one()
    return until, filled
