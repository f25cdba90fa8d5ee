"""Sends webhooks as they become due, within a second: a process of its own, as many as are wanted.

The minutely flow `webhook-retries` runs the same code for a while: with no dispatcher it is all there is,
with one it finds little to do. SIGTERM lets what is in flight land and gives the rest back. A service that
runs on a restored copy sends nothing.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial
from time import monotonic

import uvloop
from structlog import get_logger

from api import log, metrics_server, tracing
from api.core.alerts import service as alerts
from api.core.crypto import data_keys
from api.core.webhooks import totals
from api.core.webhooks.dispatcher import Dispatcher, Ports
from api.core.webhooks.signing import PlatformSecrets
from api.core.webhooks.standing import database_now
from api.db.address import DatabaseAddress
from api.db.engine import DATABASE_AWAY
from api.dispatching import ports
from api.following import turn
from api.live_rings import LiveRings
from api.ring_file import Turn
from api.settings import Settings, load, named_file
from api.settings.rings import DATA_KEY, DATABASE, WEBHOOK, rings
from api.settings.service import ServiceSettings
from deployments.dispatcher_metrics import DispatcherMetrics

BEAT_S = 5.0
"""How often the loop says that it lives; it says so only while its rounds go on."""

LOOP = "webhook-dispatcher"
SILENCE = timedelta(seconds=30)

Exposed = Callable[[Dispatcher], AbstractContextManager[object]]

_STUCK_S = 30.0
_GC_THRESHOLD = 20_000  # thousands of deliveries come and go, and none of them is in a circle
_SWITCH_S = 0.0005  # who claims and settles waits that long for the loop that sends, at each step
_log = get_logger("dispatcher")


async def dispatch(given: Ports, stop: asyncio.Event, exposed: Exposed = nullcontext) -> None:
    """Until `stop`; `exposed` surrounds its work."""
    dispatcher = Dispatcher(given)
    beating = asyncio.create_task(_beat(given, dispatcher))
    try:
        with exposed(dispatcher):
            await dispatcher.run(stop)
    finally:
        beating.cancel()
    await asyncio.to_thread(_leave, given, dispatcher)
    _log.info("dispatcher ends", **dispatcher.tally)


async def _beat(given: Ports, dispatcher: Dispatcher) -> None:
    while True:
        if monotonic() - dispatcher.last_round < _STUCK_S:
            try:
                await asyncio.to_thread(_beat_now, given)
                await asyncio.to_thread(_tend_now, given)
                await asyncio.to_thread(_count_now, given, dispatcher)
            except DATABASE_AWAY as error:
                _log.warning("heartbeat not written", kind=type(error).__name__)
        await asyncio.sleep(BEAT_S)


def _beat_now(given: Ports) -> None:
    with given.transaction() as session:
        alerts.beat(session, LOOP, SILENCE, database_now(session))


def _leave(given: Ports, dispatcher: Dispatcher) -> None:
    """Who ends on purpose is not missed; with the database away nobody is told either."""
    try:
        _count_now(given, dispatcher)
        with given.transaction() as session:
            alerts.retire(session, LOOP)
    except DATABASE_AWAY as error:
        _log.warning("its end is not written down", kind=type(error).__name__)


def _count_now(given: Ports, dispatcher: Dispatcher) -> None:
    numbers = dispatcher.count.take()
    try:
        with given.transaction() as session:
            totals.add(session, numbers)
    except DATABASE_AWAY:
        dispatcher.count.numbers.update(numbers)  # for the next time
        raise


def _tend_now(given: Ports) -> None:
    with given.transaction() as session:
        given.tend(session)


async def _until_told(given: Ports, settings: Settings, address: DatabaseAddress) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    secrets = live_rings(given, settings, address)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, secrets.hint)
    async with secrets.running():
        await dispatch(given, stop, partial(_with_metrics, settings.service))


def _with_metrics(service: ServiceSettings, dispatcher: Dispatcher) -> AbstractContextManager[object]:
    registry = metrics_server.registry(DispatcherMetrics(dispatcher))
    return metrics_server.serving(registry, service.dispatcher_metrics_port, service)


def live_rings(given: Ports, settings: Settings, address: DatabaseAddress) -> LiveRings:
    """New secrets are taken on without a restart."""
    turns: dict[str, list[Turn]] = {
        DATA_KEY: [lambda values: given.vault.turn(data_keys(*values))],
        DATABASE: [turn(address)],
    }
    if isinstance(given.fallback, PlatformSecrets):
        turns[WEBHOOK] = [given.fallback.turn]
    known = rings(settings.platform, settings.service)
    used = {name: ring for name, ring in known.items() if name in turns}
    return LiveRings("dispatcher", used, named_file(), turns, given.transaction)


async def _idle() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def prepare() -> None:
    """Of a process that dispatches."""
    log.configure("dispatcher")
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)


def main() -> None:
    prepare()
    settings = load()
    tracing.start("firstuser-dispatcher", settings.tracing)
    if settings.service.restored_copy:
        _log.warning("this is a restored copy: nothing is sent", copy=settings.service.restored_copy)
        uvloop.run(_idle())
        return
    address = DatabaseAddress(settings.platform.database_url.get_secret_value())
    given = ports(settings, "firstuser-dispatcher", address=address)
    uvloop.run(_until_told(given, settings, address))
    tracing.stop()


if __name__ == "__main__":
    main()
