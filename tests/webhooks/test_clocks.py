"""Clocks that are wrong: of the hosts of two dispatchers, of what they read, and a database's that is set by
an hour while one runs. Nothing is lost, nobody spins, and what comes twice was in flight."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import uvloop
from sqlalchemy import Engine

from api.core.crypto import Vault
from api.core.webhooks import claiming, delivery_queries
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.breaker import AHEAD
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.providers.webhooks.curl import CurlSender
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.clocks import SetClock, clocks_can_be_set
from tests.webhooks.dispatching import (
    claimed,
    clear,
    dispatcher,
    drain,
    in_the_past,
    open_deliveries,
    ports,
    sent,
    work,
)

FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
POLL_S = 0.1
LANES = 5
MOST_HANDED = 8 * AHEAD
"""To a lane of `work` at once."""


@pytest.fixture
def receiver(engine: Engine) -> Iterator[BulkReceiver]:
    clear(engine)
    with clocks_can_be_set(engine), bulk_receiving() as opened:
        yield opened
    clear(engine)


def by(clock: SetClock, engine: Engine, vault: Vault) -> Ports:
    return replace(ports(engine, vault), transaction=clock.transaction)


def received(receiver: BulkReceiver) -> Counter[str]:
    return Counter(message for _, message in receiver.ids)


def test_the_clocks_of_hosts_do_not_matter(
    engine: Engine, product_url: str, vault: Vault, receiver: BulkReceiver
) -> None:
    """Two processes, ten minutes apart by their own clocks: nothing comes twice or is signed at a time that
    a partner would refuse."""
    work(engine, vault, [receiver.url(f"/slow/{n}") for n in range(1, 11)], 50)
    off = FIVE_MINUTES.total_seconds()
    both = [dispatcher(product_url, off_s=off), dispatcher(product_url, off_s=-off)]
    assert [one.wait(60) for one in both] == [0, 0]
    drain(ports(engine, vault))
    assert received(receiver) == dict.fromkeys(sent(engine), 1)
    assert max(abs(stamp - time.time()) for stamp in receiver.stamps) < 60


class AnswersLate:
    """What its receiver answered is heard of when `heard` is set."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._sender = CurlSender(loopback_allowed=True)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        attempt = await self._sender.post(url, headers, body)
        while not self.heard.is_set():
            await asyncio.sleep(0.01)
        return attempt


def test_one_that_reads_a_clock_ahead_takes_over_at_most_what_is_in_flight(
    engine: Engine, vault: Vault, receiver: BulkReceiver
) -> None:
    """By a clock ten minutes ahead the other one's leases have all run out; what it settles is refused."""
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(LANES)], MOST_HANDED)
    in_the_past(engine, 2 * FIVE_MINUTES)
    behind, ahead, late = SetClock(engine, -FIVE_MINUTES), SetClock(engine, FIVE_MINUTES), AnswersLate()
    with ThreadPoolExecutor(1) as pool:
        overtaken = pool.submit(drain, replace(by(behind, engine, vault), sender=late))
        while claimed(engine) < LANES * MOST_HANDED and not overtaken.done():
            time.sleep(0.01)
        taken = drain(by(ahead, engine, vault))
        late.heard.set()
        assert overtaken.result(60)["lost claims"] == taken["delivered"] == LANES * MOST_HANDED
    assert twice(receiver, engine) == LANES * MOST_HANDED
    assert max(received(receiver).values()) == 2


def twice(receiver: BulkReceiver, engine: Engine) -> int:
    """How many too many; all of them have arrived and been settled."""
    assert set(receiver.answered) == sent(engine), "lost"
    assert open_deliveries(engine) == 0
    return len(receiver.ids) - len(set(receiver.answered))


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_clock_that_is_set_under_way_costs_at_most_what_is_in_flight(
    engine: Engine, vault: Vault, receiver: BulkReceiver, step: timedelta
) -> None:
    work(engine, vault, [receiver.url(f"/slow/{n}") for n in range(20, 20 + LANES)], 200)
    in_the_past(engine, 2 * HOUR)
    clock = SetClock(engine)
    with ThreadPoolExecutor(1) as pool:
        draining = pool.submit(drain, by(clock, engine, vault))
        for least, off in ((200, step), (400, timedelta(0))):
            while len(receiver.ids) < least and not draining.done():
                time.sleep(0.002)
            clock.off = off
        tally = draining.result(60)
    too_many = twice(receiver, engine)
    print(f"{too_many} of 1000 came twice; {dict(tally)}")
    assert too_many <= min(2 * LANES * MOST_HANDED, tally["lost claims"])


@pytest.mark.parametrize("killed_at", [HOUR, timedelta(0)])
def test_nobody_spins_on_a_lease_from_another_time(
    engine: Engine, vault: Vault, receiver: BulkReceiver, killed_at: timedelta
) -> None:
    """Who held it was killed, and the clock set back by an hour: it is waited for, a minute and not an hour,
    and nothing is lost."""
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(5)], 5)
    in_the_past(engine, 2 * HOUR)
    clock = SetClock(engine, killed_at)
    with clock.transaction() as session:
        now = delivery_queries.clock(session)
        assert len(claiming.claim(session, vault, now, lambda _id: True, None)) == 25
    clock.off, clock.transactions = killed_at - HOUR, 0
    run_for(1.0, by(clock, engine, vault))
    assert 2 <= clock.transactions <= 1.0 / POLL_S + 3
    assert (receiver.ids, claimed(engine)) == ([], 25)
    clock.off += claiming.LEASE
    drain(by(clock, engine, vault))
    assert twice(receiver, engine) == 0


def run_for(seconds: float, given: Ports) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await Dispatcher(given, POLL_S).run(stop)

    uvloop.run(run())
