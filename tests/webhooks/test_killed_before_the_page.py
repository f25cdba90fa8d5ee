"""Killed for real between giving up and telling of it, at each step: every delivery that is given up is in
exactly one message, and each endpoint has one."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.alerts.catalogue import EXHAUSTED
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import LEASE, Words
from api.core.clock import system_clock
from api.core.crypto import Vault
from api.core.webhooks.schedule import WAITS
from api.db.engine import session_scope
from api.providers.alerting.generic import Generic
from tests.receiver import receiving
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.dispatching import (
    claimed,
    clear,
    dispatcher,
    end_leases,
    in_the_past,
    open_deliveries,
    work,
)

STATUSES = (500, 501, 505)
EACH = 4
LAST_TRY = text("update webhook_deliveries set attempts = :before where state = 'open'")
GIVEN_UP = text("select endpoint_id, cast(id as text) from webhook_deliveries where state = 'exhausted'")
ALERTS = text("select count(*) from alerts where rule = :rule")
TRIES = text("select count(*) from webhook_attempts where outcome = 'exhausted'")
DESK = """
import os, signal, sys
from datetime import timedelta
from functools import partial
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.clock import system_clock
from api.db.engine import make_engine, session_scope
from api.providers.alerting.generic import Generic

class Doomed(Generic):
    def send(self, message):
        os.kill(os.getpid(), signal.SIGKILL)

database, url = sys.argv[1:]
Desk(
    partial(session_scope, make_engine(database)), {"primary": Doomed(url)}, Words("test", "http://app"),
    lambda: system_clock() + timedelta(minutes=1),
).send_due()
"""


@pytest.fixture
def failing(engine: Engine, vault: Vault) -> Iterator[BulkReceiver]:
    """Three endpoints that always fail; each of four deliveries has one try left."""
    clear(engine)
    forget_alerts(engine)
    with bulk_receiving() as receiver:
        work(engine, vault, [receiver.url(f"/status/{status}") for status in STATUSES], EACH)
        with Session(engine) as session, session.begin():
            session.execute(LAST_TRY, {"before": len(WAITS) - 1})
        yield receiver
    clear(engine)
    forget_alerts(engine)


def forget_alerts(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("truncate alerts, alert_channels cascade"))


def given_up(engine: Engine) -> list[tuple[str, str]]:
    with Session(engine) as session:
        return [(endpoint, delivery) for endpoint, delivery in session.execute(GIVEN_UP)]


def alerts(engine: Engine) -> int:
    with Session(engine) as session:
        return session.execute(ALERTS, {"rule": EXHAUSTED.name}).scalar_one()


def resume(engine: Engine) -> None:
    end_leases(engine)
    in_the_past(engine)


def test_what_was_given_up_is_told_of_once_whoever_is_killed(
    engine: Engine, product_url: str, failing: BulkReceiver
) -> None:
    assert dispatcher(product_url, "before-page").wait(60) == -signal.SIGKILL
    assert (given_up(engine), alerts(engine)) == ([], 0), "given up, and nobody would ever hear of it"
    in_flight = claimed(engine)
    resume(engine)
    assert dispatcher(product_url, "after-page").wait(60) == -signal.SIGKILL
    assert 0 < alerts(engine) == len({endpoint for endpoint, _ in given_up(engine)})
    in_flight += claimed(engine)
    while open_deliveries(engine):
        resume(engine)
        assert dispatcher(product_url).wait(60) == 0
    assert len(given_up(engine)) == EACH * len(STATUSES)
    received = Counter(message for _, message in failing.ids)
    assert len(received) == EACH * len(STATUSES) and len(failing.ids) - len(received) <= in_flight
    with Session(engine) as session:
        assert session.execute(TRIES).scalar_one() == EACH * len(STATUSES)
    assert_told_once(product_url, engine)


def assert_told_once(url: str, engine: Engine) -> None:
    with receiving() as channel:
        killed = subprocess.run([sys.executable, "-c", DESK, url, channel.url], env=dict(os.environ))
        assert (killed.returncode, channel.received) == (-signal.SIGKILL, [])
        ahead = timedelta(minutes=1)
        desk = Desk(
            lambda: session_scope(engine),
            {"primary": Generic(channel.url)},
            Words("test", "http://app"),
            lambda: system_clock() + ahead,
        )
        for _ in range(2 * len(STATUSES)):
            ahead += LEASE
            desk.send_due()
        told = [json.loads(one.body) for one in channel.received]
    told = [one for one in told if one["metadata"]["rule"] == EXHAUSTED.name]
    ended = given_up(engine)
    assert sorted(one["metadata"]["scope"] for one in told) == sorted({endpoint for endpoint, _ in ended})
    for endpoint, delivery in ended:
        (one,) = [one for one in told if f"dlv_{delivery.replace('-', '')}" in one["message"]]
        assert one["metadata"]["scope"] == endpoint
