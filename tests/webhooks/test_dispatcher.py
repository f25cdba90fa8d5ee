"""The dispatcher over a real database, real sockets and a receiver that keeps count."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.webhooks import secrets, signing
from api.core.webhooks.attempts import Attempt
from tests.product import NOW
from tests.receiver import receiving
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.dispatching import clear, drain, open_deliveries, ports, work


@pytest.fixture
def receiver(engine: Engine) -> Iterator[BulkReceiver]:
    with bulk_receiving() as opened:
        yield opened
    clear(engine)


def test_everything_due_arrives_once(engine: Engine, vault: Vault, receiver: BulkReceiver) -> None:
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(10)], 200)
    began = time.monotonic()
    tally = drain(ports(engine, vault))
    print(f"{2000 / (time.monotonic() - began):.0f} deliveries a second")
    assert (tally["claimed"], tally["delivered"], open_deliveries(engine)) == (2000, 2000, 0)
    assert len(receiver.ids) == len({message for _, message in receiver.ids}) == 2000
    assert max(receiver.most_flying.values()) <= 8


def test_what_arrives_is_signed_over_its_bytes(engine: Engine, vault: Vault) -> None:
    with receiving() as one:
        (integration,) = work(engine, vault, [one.url], 1)
        drain(ports(engine, vault))
        (got,) = one.received
    with Session(engine) as session:
        (key,) = secrets.valid(session, vault, integration, NOW + timedelta(seconds=1))
        now = session.execute(text("select now()")).scalar_one()
    assert signing.verify([key], got.headers, got.body, now) is signing.Verdict.GENUINE
    clear(engine)


class SlowSender:
    """Takes a while for each, and keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, dict[str, str], bytes]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        self.sent.append((time.time(), dict(headers), body))
        await asyncio.sleep(0.5)
        return Attempt(None, 200, 500, "ok", "127.0.0.1")


def test_a_secret_that_ends_signs_nothing_that_was_claimed_before(engine: Engine, vault: Vault) -> None:
    (integration,) = work(engine, vault, ["http://127.0.0.1:1/slow"], 8, concurrency=1)
    sender = SlowSender()

    def rotate() -> tuple[str, float]:
        while not sender.sent:
            time.sleep(0.01)
        with Session(engine) as session, session.begin():
            now = session.execute(text("select clock_timestamp()")).scalar_one()
            made = secrets.rotate(session, vault, integration, timedelta(0), now, "test", forced=True)[1]
        return made, time.time()

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        drain(ports(engine, vault, sender))
        fresh, at = rotating.result()
    late = [(headers, body) for sent_at, headers, body in sender.sent if sent_at > at + 2.2]
    assert len(late) >= 2  # they were all claimed at once, before it
    for headers, body in late:
        now = datetime.fromtimestamp(int(headers[signing.TIMESTAMP]), UTC)
        assert signing.verify([fresh], headers, body, now) is signing.Verdict.GENUINE
        assert len(headers[signing.SIGNATURE].split()) == 1
    clear(engine)


def test_one_that_hangs_keeps_nobody_waiting(engine: Engine, vault: Vault, receiver: BulkReceiver) -> None:
    work(engine, vault, [receiver.url(f"/hang/{n}") for n in range(4)], 100)
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(6)], 100)
    began = time.monotonic()
    drain(ports(engine, vault, deadline_s=1.5))
    arrived = [path for path, _ in receiver.ids if path.startswith("/ok")]
    assert len(arrived) == 600
    assert time.monotonic() - began < 20
    assert open_deliveries(engine) == 400
