"""Dispatchers killed for real, at every place where it could hurt: nothing is lost, and what comes twice is
no more than was in flight and has the same webhook-id."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.providers.databases.embedded.cluster import Cluster
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.dispatching import (
    claimed,
    clear,
    dispatcher,
    drain,
    end_leases,
    in_the_past,
    open_deliveries,
    ports,
    sent,
    work,
)

PLACES = ["before-send", "after-send", "after-response", "while-settling"]


@pytest.fixture
def receiver(engine: Engine) -> Iterator[BulkReceiver]:
    clear(engine)
    with bulk_receiving() as opened:
        yield opened
    clear(engine)


def test_killed_at_every_place_nothing_is_lost(
    engine: Engine, product_url: str, vault: Vault, receiver: BulkReceiver
) -> None:
    work(engine, vault, [receiver.url(f"/slow/{n}") for n in range(1, 26)], 200)
    wanted, in_flight = sent(engine), 0
    assert len(wanted) == 5000
    for after in (150, 2):
        for place in PLACES:
            ended = dispatcher(product_url, place, after if place != "while-settling" else after // 50 + 1)
            assert ended.wait(60) == -signal.SIGKILL, place
            in_flight += claimed(engine)
            assert in_flight > 0
            end_leases(engine)
    done = dispatcher(product_url)
    assert done.wait(60) == 0
    received = Counter(message for _, message in receiver.ids)
    assert set(received) == wanted
    assert set(receiver.answered) == wanted, "lost"
    twice = sum(received.values()) - len(received)
    print(f"{twice} of 5000 came twice, {in_flight} were claimed at the 8 kills")
    assert 0 < twice <= in_flight
    assert open_deliveries(engine) == 0


def test_two_dispatchers_send_nothing_twice(
    engine: Engine, product_url: str, vault: Vault, receiver: BulkReceiver
) -> None:
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(20)], 150)
    wanted = sent(engine)
    both = [dispatcher(product_url), dispatcher(product_url)]
    assert [one.wait(60) for one in both] == [0, 0]
    drain(ports(engine, vault))
    assert sorted(message for _, message in receiver.ids) == sorted(wanted)
    assert max(receiver.most_flying.values()) <= 8


def test_a_database_that_restarts_in_the_middle_costs_nothing(
    engine: Engine, cluster: Cluster, vault: Vault, receiver: BulkReceiver
) -> None:
    work(engine, vault, [receiver.url(f"/slow/{n}") for n in range(20, 45)], 100)
    wanted = sent(engine)
    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(drain, ports(engine, vault))
        while len(receiver.ids) < 300:
            time.sleep(0.01)
        cluster.stop()
        cluster.start()
        tally = draining.result(60)
    end_leases(engine)
    drain(ports(engine, vault))
    received = Counter(message for _, message in receiver.ids)
    assert set(received) == wanted
    assert open_deliveries(engine) == 0
    print(f"{sum(received.values()) - len(received)} came twice; {dict(tally)}")
    assert sum(received.values()) - len(received) <= 1000


def test_what_fails_for_good_is_kept_as_exhausted(
    engine: Engine, vault: Vault, receiver: BulkReceiver
) -> None:
    work(engine, vault, [receiver.url("/status/500")], 3)
    for _ in range(40):
        drain(ports(engine, vault))
        in_the_past(engine)
        if not open_deliveries(engine):
            break
    with Session(engine) as session:
        states = session.execute(text("select state, attempts from webhook_deliveries")).all()
        tries = session.execute(text("select count(*) from webhook_attempts")).scalar_one()
    assert [tuple(one) for one in states] == [("exhausted", 10)] * 3
    assert tries == 30
    assert len(receiver.ids) == 30
