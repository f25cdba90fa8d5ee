"""A dispatcher that a real SIGKILL ends at a named place: `python -m tests.webhooks.doomed URL PLACE AFTER`.

before-send · after-send · after-response · while-settling · never (it drains what is due and says its tally)
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime

import uvloop
from sqlalchemy.orm import Session

from api.core.crypto import Vault, data_keys
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.core.webhooks.settling import Settled
from api.db.engine import make_engine, session_scope
from api.providers.webhooks.curl import CurlSender
from tests.product import DATA_KEY


class Doom:
    """Strikes at the `after`th time that `place` is passed."""

    def __init__(self, place: str, after: int) -> None:
        self._place = place
        self._left = after
        self._sender = CurlSender(loopback_allowed=True, deadline_s=5)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        self.passes("before-send")
        sending = asyncio.create_task(self._sender.post(url, headers, body))
        await asyncio.sleep(0.002)
        self.passes("after-send")
        attempt = await sending
        self.passes("after-response")
        return attempt

    def settled(self, _session: Session, _settled: Settled, _now: datetime) -> None:
        self.passes("while-settling")

    def passes(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def run(url: str, doom: Doom) -> None:
    engine = make_engine(url, pool_size=3, application_name="doomed")
    given = Ports(
        transaction=lambda: session_scope(engine),
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
    uvloop.run(run(sys.argv[1], Doom(sys.argv[2], int(sys.argv[3]))))
