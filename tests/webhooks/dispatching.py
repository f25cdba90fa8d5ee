"""A dispatcher over a test's database, and bulk work for it."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import uvloop
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.webhooks.attempts import Sender
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.db.engine import session_scope
from api.providers.webhooks.curl import CurlSender
from tests.api.core.webhooks.places import told

_BULK = text("""
with e as (select id, integration_id from webhook_endpoints where integration_id = any(:integrations)),
m as (
    insert into webhook_messages (integration_id, type, body)
    select e.integration_id, 'webhook.test', convert_to('{"number":' || n || '}', 'UTF8')
    from e cross join generate_series(1, :count) as n
    returning id, integration_id
)
insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at)
select m.id, e.id, now() from m join e using (integration_id)
""")
_FAST = text("""
with fast as (
    update webhook_endpoints set rate = 1e6, concurrency = :c where integration_id = :i returning id
)
update webhook_lanes set tokens = 1e6 from fast where endpoint_id = fast.id
""")


def ports(engine: Engine, vault: Vault, sender: Sender | None = None, deadline_s: float = 5) -> Ports:
    return Ports(
        transaction=lambda: session_scope(engine),
        vault=vault,
        sender=sender or CurlSender(loopback_allowed=True, deadline_s=deadline_s),
        may_send=lambda _session: lambda _id: True,
        fallback=None,
    )


def work(engine: Engine, vault: Vault, urls: list[str], count: int, concurrency: int = 8) -> list[str]:
    """`count` deliveries due to each of the URLs; the ids of the integrations."""
    with Session(engine) as session, session.begin():
        made = [told(session, vault, url) for url in urls]
        for integration in made:
            session.execute(_FAST, {"i": integration, "c": concurrency})
        session.execute(_BULK, {"integrations": made, "count": count})
    return made


def drain(given: Ports, seconds: float = 60) -> Counter[str]:
    """Until nothing is due."""

    async def run() -> Counter[str]:
        dispatcher = Dispatcher(given, poll_s=0.1)
        async with asyncio.timeout(seconds):
            await dispatcher.run(asyncio.Event(), until_empty=True)
        return dispatcher.tally

    return uvloop.run(run())


def dispatcher(url: str, place: str = "never", after: int = 1, off_s: float = 0) -> subprocess.Popen[bytes]:
    """A process that is killed at a place, see `doomed`."""
    command = [sys.executable, "-m", "tests.webhooks.doomed", url, place, str(after), str(off_s)]
    return subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE)


def claimed(engine: Engine) -> int:
    with Session(engine) as session:
        query = text("select coalesce(sum(claimed), 0) from webhook_lanes where claimed_until is not null")
        return session.execute(query).scalar_one()


def end_leases(engine: Engine) -> None:
    """A minute passes."""
    over = "update webhook_lanes set claimed_until = now() - interval '1 s' where claimed_until is not null"
    with Session(engine) as session, session.begin():
        session.execute(text(over))


def sent(engine: Engine) -> set[str]:
    with Session(engine) as session:
        ids = session.scalars(text("select 'msg_' || replace(id::text, '-', '') from webhook_messages"))
        return set(ids)


def clear(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("truncate webhook_deliveries, webhook_messages, webhook_attempts"))
        session.execute(text("update webhook_endpoints set state = 'removed'"))
        session.execute(text("update webhook_lanes set claimed_until = null, watermark = null"))


def open_deliveries(engine: Engine) -> int:
    with Session(engine) as session:
        return session.execute(
            text("select count(*) from webhook_deliveries where state = 'open'")
        ).scalar_one()


def in_the_past(engine: Engine, by: timedelta = timedelta(days=5)) -> None:
    """Whatever waits for its next attempt is due now; breakers let it through."""
    with Session(engine) as session, session.begin():
        session.execute(
            text("update webhook_deliveries set next_attempt_at = :n"), {"n": datetime.now(UTC) - by}
        )
        session.execute(text("update webhook_endpoints set not_before = null"))
        session.execute(text("update webhook_lanes set watermark = null"))
