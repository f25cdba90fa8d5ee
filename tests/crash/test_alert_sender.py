"""A real sender, killed while a real receiver holds its message: nothing is lost, at most one comes twice."""

import json
import os
import subprocess
import sys
from datetime import timedelta

from sqlalchemy import text

from api.core.alerts import service
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import LEASE, Words
from api.core.clock import system_clock
from api.db.engine import make_engine, session_scope
from api.providers.alerting.generic import Generic
from tests.product import product_url
from tests.receiver import Answer, Receiver, receiving

__all__ = ["product_url"]

ALERTS = 3
SENDER = """
import sys, time
from functools import partial
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.clock import system_clock
from api.db.engine import make_engine, session_scope
from api.providers.alerting.generic import Generic
database, url = sys.argv[1:]
desk = Desk(
    partial(session_scope, make_engine(database)), {"primary": Generic(url)}, Words("production", "http://app"),
    system_clock,
)
while True:
    desk.send_due()
    time.sleep(0.1)
"""


def test_killed_while_the_message_is_on_its_way(product_url: str) -> None:
    with receiving() as receiver:
        _killed(product_url, receiver)


def _killed(product_url: str, receiver: Receiver) -> None:
    engine = make_engine(product_url)
    with session_scope(engine) as session:
        session.execute(text("truncate alerts, alert_channels cascade"))
        past = system_clock() - timedelta(minutes=1)
        for number in range(ALERTS):
            service.raise_(session, "flow_failed", f"flow_{number}", env="production", message="-", now=past)
    receiver.answer = Answer(stall_s=60)  # it has the message, and says nothing
    sender = subprocess.Popen([sys.executable, "-c", SENDER, product_url, receiver.url], env=dict(os.environ))
    try:
        receiver.wait_for(lambda _: True, 20)
    finally:
        sender.kill()
        sender.wait()
    receiver.answer = Answer()
    ahead = timedelta(0)
    desk = Desk(
        lambda: session_scope(engine),
        {"primary": Generic(receiver.url)},
        Words("production", "http://app"),
        lambda: system_clock() + ahead,
    )
    for _ in range(ALERTS + 2):
        ahead += LEASE
        desk.send_due()
    ids = [json.loads(one.body)["id"] for one in receiver.received]
    assert len(set(ids)) == ALERTS and len(ids) == ALERTS + 1
    assert ids.count(ids[0]) == 2
    with session_scope(engine) as session:
        assert (
            session.execute(text("select count(*) from alert_messages where state <> 'sent'")).scalar() == 0
        )
    engine.dispose()
