"""The dispatcher over a real database, real sockets and a receiver that keeps count."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import uvloop
from psycopg import OperationalError as DriverOperationalError
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Refused
from api.core.webhooks import lanes, secrets, signing
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.breaker import AHEAD
from api.core.webhooks.claiming import Claimed
from api.core.webhooks.dispatcher import Dispatcher
from tests.product import NOW
from tests.receiver import receiving
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.dispatching import clear, drain, open_deliveries, ports, sent, work


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


class SlowClaimer(Dispatcher):
    """Hears of a claim that found nothing when all that was in flight has been settled since."""

    def _claim_now(self) -> tuple[Sequence[Claimed], datetime, float]:
        found = super()._claim_now()
        while not found[0] and self._claimed:
            time.sleep(0.01)
        return found


def test_a_lane_that_is_freed_during_a_claim_is_not_left_behind(
    engine: Engine, vault: Vault, receiver: BulkReceiver
) -> None:
    work(engine, vault, [receiver.url("/slow/50")], 8 * AHEAD + 1)  # one more than is handed out at once
    given = ports(engine, vault)
    uvloop.run(SlowClaimer(given, poll_s=0.1).run(asyncio.Event(), until_empty=True))
    assert open_deliveries(engine) == 0


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


@dataclass(frozen=True, slots=True)
class Rotated:
    """`late`: what was claimed before the rotation, and sent when the dispatcher must have noticed it."""

    old: str
    fresh: str
    late: list[tuple[dict[str, str], bytes]]

    def genuine(self, secret: str) -> set[bool]:
        return {self._genuine(secret, headers, body) for headers, body in self.late}

    def _genuine(self, secret: str, headers: dict[str, str], body: bytes) -> bool:
        now = datetime.fromtimestamp(int(headers[signing.TIMESTAMP]), UTC)
        return signing.verify([secret], headers, body, now) is signing.Verdict.GENUINE


def rotated_under_way(engine: Engine, vault: Vault, count: int, notice_s: float) -> Rotated:
    (integration,) = work(engine, vault, ["http://127.0.0.1:1/slow"], count, concurrency=1)
    before = sent(engine)  # a rotation is told of, too
    sender = SlowSender()

    def rotate() -> tuple[str, str, float]:
        while not sender.sent:
            time.sleep(0.01)
        with Session(engine) as session, session.begin():
            now = session.execute(text("select clock_timestamp()")).scalar_one()
            (old,) = secrets.valid(session, vault, integration, now)
            made = secrets.rotate(session, vault, integration, timedelta(0), now, "test", forced=True)[1]
        return old, made, time.time()

    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        drain(ports(engine, vault, sender))
        old, fresh, at = rotating.result()
    clear(engine)
    late = [
        (headers, body)
        for sent_at, headers, body in sender.sent
        if sent_at > at + notice_s and headers[signing.ID] in before
    ]
    return Rotated(old, fresh, late)


def test_a_secret_that_ends_signs_nothing_that_was_claimed_before(engine: Engine, vault: Vault) -> None:
    rotated = rotated_under_way(engine, vault, 8, notice_s=2.2 * lanes.KEYS_GOOD_FOR_S)
    assert len(rotated.late) >= 2
    assert rotated.genuine(rotated.fresh) == {True}
    assert rotated.genuine(rotated.old) == {False}
    assert {len(headers[signing.SIGNATURE].split()) for headers, _ in rotated.late} == {1}


def test_without_reading_them_again_the_ended_secret_would_go_on_signing(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above would see."""
    monkeypatch.setattr(lanes, "KEYS_GOOD_FOR_S", 3600.0)
    rotated = rotated_under_way(engine, vault, 4, notice_s=0)
    assert len(rotated.late) >= 1
    assert (rotated.genuine(rotated.old), rotated.genuine(rotated.fresh)) == ({True}, {False})


@pytest.mark.parametrize(
    ("error", "ends"),
    [(DriverOperationalError("gone"), False), (Refused("No data key opens it."), True)],
)
def test_secrets_that_cannot_be_read_again_are_no_silent_matter(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch, error: Exception, ends: bool
) -> None:
    """With the database away they are read later; any other failure ends the dispatcher, which settles what
    flies and gives the rest back."""
    work(engine, vault, ["http://127.0.0.1:1/slow"], 5, concurrency=1)
    monkeypatch.setattr(lanes, "KEYS_GOOD_FOR_S", 0.1)
    failures: list[Exception] = []

    def fails(*_given: object) -> None:
        failures.append(error)
        raise error

    monkeypatch.setattr(Dispatcher, "_keys_now", fails)
    sender = SlowSender()
    with pytest.raises(type(error)) if ends else nullcontext():
        drain(ports(engine, vault, sender))
    left = open_deliveries(engine)
    clear(engine)
    assert left == 5 - len(sender.sent)
    assert (left > 0, len(failures) == 1) == (ends, ends)


@pytest.mark.parametrize("old_after_s", [0.7, 30])
def test_what_was_read_too_long_ago_signs_nothing(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch, old_after_s: float
) -> None:
    """While nothing can be read again: what waits is given back, and claimed with what holds then."""
    work(engine, vault, ["http://127.0.0.1:1/slow"], 5, concurrency=1)
    monkeypatch.setattr(lanes, "KEYS_END_S", old_after_s)
    monkeypatch.setattr(lanes, "KEYS_GOOD_FOR_S", 60.0)
    tally = drain(ports(engine, vault, SlowSender()))
    clear(engine)
    assert tally["delivered"] >= 5
    assert (tally["released"] > 0) is (old_after_s < 1)


def test_one_that_hangs_keeps_nobody_waiting(engine: Engine, vault: Vault, receiver: BulkReceiver) -> None:
    work(engine, vault, [receiver.url(f"/hang/{n}") for n in range(4)], 100)
    work(engine, vault, [receiver.url(f"/ok/{n}") for n in range(6)], 100)
    began = time.monotonic()
    drain(ports(engine, vault, deadline_s=1.5))
    arrived = [path for path, _ in receiver.ids if path.startswith("/ok")]
    assert len(arrived) == 600
    assert time.monotonic() - began < 20
    assert open_deliveries(engine) == 400
