"""The dispatcher as a process: a change is told within a second, a pause holds it, SIGTERM ends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.alerts import views
from api.core.crypto import Vault
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from deployments import dispatcher
from tests.api.core.webhooks.places import told
from tests.product import BASE_URL, DATA_KEY, NOW
from tests.webhooks.bulk_receiver import BulkReceiver, bulk_receiving
from tests.webhooks.dispatching import clear, open_deliveries


@pytest.fixture
def receiver(engine: Engine) -> Iterator[BulkReceiver]:
    clear(engine)
    with bulk_receiving() as opened:
        yield opened
    clear(engine)


def process(url: str, **more: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTUSER_")}
    given = {"DATABASE_URL": url, "PUBLIC_APP_URL": BASE_URL, "FIRSTUSER_DATA_KEY": DATA_KEY}
    return subprocess.Popen(
        [sys.executable, "-m", "deployments.dispatcher"], env=kept | given | more, stdout=subprocess.DEVNULL
    )


def until(holds: Callable[[], bool], seconds: float = 15) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
    return time.monotonic() - began


def ends_well(pid: int) -> bool:
    """Whether it has come so far that it handles SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def pause(engine: Engine, scope: str, value: bool) -> None:
    with Session(engine) as session, session.begin():
        flags.set_value(
            session, FlagKey.WEBHOOK_RETRIES_PAUSED, scope, value, by="fnd_x", reason="test", now=NOW
        )


def join(engine: Engine, vault: Vault, integration: str, user: str) -> None:
    with Session(engine) as session, session.begin():
        waitlist.join(session, vault, integration, user, NOW)


def test_a_change_is_told_within_a_second_and_a_pause_holds_it(
    engine: Engine, product_url: str, vault: Vault, receiver: BulkReceiver
) -> None:
    with Session(engine) as session, session.begin():
        integration = told(session, vault, receiver.url("/ok/1"))
    running = process(product_url)
    try:
        join(engine, vault, integration, "first")
        until(lambda: len(receiver.ids) == 1)
        join(engine, vault, integration, "second")
        assert until(lambda: len(receiver.ids) == 2) < 1
        pause(engine, integration, True)
        join(engine, vault, integration, "third")
        time.sleep(1)
        assert (len(receiver.ids), open_deliveries(engine)) == (2, 1)
        pause(engine, integration, False)
        until(lambda: len(receiver.ids) == 3)
        with Session(engine) as session:
            beats = {one.name: one for one in views.loops(session)}
            now = session.execute(text("select now()")).scalar_one()
        assert (now - beats[dispatcher.LOOP].beat_at).total_seconds() < 10
    finally:
        running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    assert open_deliveries(engine) == 0


def test_a_restored_copy_sends_nothing(
    engine: Engine, product_url: str, vault: Vault, receiver: BulkReceiver
) -> None:
    with Session(engine) as session, session.begin():
        integration = told(session, vault, receiver.url("/ok/1"))
    running = process(product_url, FIRSTUSER_RESTORED_COPY="drill-1")
    join(engine, vault, integration, "anna")
    until(lambda: ends_well(running.pid), 60)
    time.sleep(1)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    assert (receiver.ids, open_deliveries(engine)) == ([], 1)
