"""Our dispatcher, put together as in production, on a backlog: `python -m …pipeline COUNT` with the settings
of a product in its environment. Prints how long the first COUNT took to be delivered and settled, as JSON."""

import asyncio
import json
import os
import sys
from dataclasses import asdict, replace
from datetime import datetime
from time import perf_counter

import uvloop
from sqlalchemy.orm import Session

from api.core.webhooks.dispatcher import Dispatcher
from api.core.webhooks.schedule import Outcome
from api.core.webhooks.settling import Settled
from api.dispatching import ports
from api.settings import load
from deployments import dispatcher
from deployments.bench.webhooks.bare import Result


async def drain(count: int) -> Result:
    given, stop = ports(load(), "bench"), asyncio.Event()
    loop, started, delivered, ended = asyncio.get_running_loop(), perf_counter(), 0, 0.0

    def settled(session: Session, done: Settled, now: datetime) -> None:
        nonlocal delivered, ended
        given.on_settled(session, done, now)
        delivered += done.outcomes[Outcome.DELIVERED]
        if delivered >= count and not ended:
            ended = perf_counter()
            loop.call_soon_threadsafe(stop.set)

    running = asyncio.create_task(Dispatcher(replace(given, on_settled=settled)).run(stop))
    await stop.wait()
    result = Result(ended - started, delivered)
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    sys.stdout.flush()
    await asyncio.wait([running], timeout=0.5)
    return result


if __name__ == "__main__":
    dispatcher.prepare()
    sys.setswitchinterval(0.0005)
    uvloop.run(drain(int(sys.argv[1])))
    os._exit(0)  # what hangs on purpose is not waited for
