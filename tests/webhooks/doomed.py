"""A dispatcher that a real SIGKILL ends: `python -m tests.webhooks.doomed URL PLACE AFTER OFF`. The places:

before-send · after-send · after-response · while-settling · before-page (given up, the alert not raised yet)
· after-page (both committed, nobody told yet) · never (it drains what is due and says its tally)
The clock of its host is wrong by OFF seconds.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from time import time

import time_machine
import uvloop
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.crypto import Vault, data_keys
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.core.webhooks.settling import Settled
from api.db.engine import make_engine, session_scope
from api.dispatching import page
from api.providers.webhooks.curl import CurlSender
from tests.product import DATA_KEY


class Doom:
    """Strikes at the `after`th time that `place` is passed."""

    def __init__(self, place: str, after: int) -> None:
        self._place = place
        self._left = after
        self._sender = CurlSender(loopback_allowed=True, deadline_s=5)
        self._paging: Session | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        self.passes("before-send")
        sending = asyncio.create_task(self._sender.post(url, headers, body))
        await asyncio.sleep(0.002)
        self.passes("after-send")
        attempt = await sending
        self.passes("after-response")
        return attempt

    def settled(self, session: Session, settled: Settled, now: datetime) -> None:
        self.passes("while-settling")
        if settled.exhausted:
            self.passes("before-page")
            self._paging = session
        page("test", session, settled, now)

    @contextmanager
    def transaction(self, engine: Engine) -> Generator[Session]:
        with session_scope(engine) as session:
            yield session
        if session is self._paging:
            self.passes("after-page")

    def passes(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def run(url: str, doom: Doom) -> None:
    engine = make_engine(url, pool_size=3, application_name="doomed")
    given = Ports(
        transaction=lambda: doom.transaction(engine),
        vault=Vault(data_keys(DATA_KEY)),
        sender=doom,
        may_send=lambda _session: lambda _id: True,
        fallback=None,
        on_settled=doom.settled,
    )
    dispatcher = Dispatcher(given, poll_s=0.05)
    await dispatcher.run(asyncio.Event(), until_empty=True)
    print(dict(dispatcher.tally))


if __name__ == "__main__":
    with time_machine.travel(time() + float(sys.argv[4])):
        uvloop.run(run(sys.argv[1], Doom(sys.argv[2], int(sys.argv[3]))))
