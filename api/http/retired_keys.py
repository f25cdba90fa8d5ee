"""Who calls with a key whose time is over is an alert, and gets the same answer as for any bad key.

Looked at after the answer is on its way, so that no timing tells a retired key from one that never was; once
a minute for each key, and for a few at a time: guessing must cost us nothing.
"""

import asyncio
from functools import partial
from time import monotonic

import structlog
from starlette.concurrency import run_in_threadpool

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import RETIRED_KEY
from api.core.keys import recognising
from api.core.keys.token import Token, masked
from api.db.engine import DATABASE_ERRORS
from api.http.services import Services

EVERY_S = 60.0
_MOST_AT_ONCE = 4
_MOST_KEPT = 5_000
_seen: dict[str, float] = {}
_looking: set[asyncio.Task[None]] = set()
_log = structlog.get_logger("api.retired_keys")


def note(at: Services, presented: Token, network: str) -> None:
    now = monotonic()
    if len(_looking) >= _MOST_AT_ONCE or now - _seen.get(presented.key_id, -EVERY_S) < EVERY_S:
        return
    if len(_seen) >= _MOST_KEPT:
        _seen.clear()
    _seen[presented.key_id] = now
    task = asyncio.create_task(_look(at, presented, network))
    _looking.add(task)
    task.add_done_callback(_looking.discard)


async def _look(at: Services, presented: Token, network: str) -> None:
    try:
        integration_id = await at.hot.run(partial(recognising.retired, presented=presented, now=at.clock()))
        if integration_id is not None:
            await run_in_threadpool(_raise, at, integration_id, presented.key_id, network)
    except DATABASE_ERRORS as error:
        _log.warning("use of a retired key not looked at", kind=type(error).__name__)


def _raise(at: Services, integration_id: str, key_id: str, network: str) -> None:
    message = f"A retired key of integration {integration_id} was used ({masked(key_id)})."
    with at.transaction() as session:
        alerts.raise_(
            session,
            RETIRED_KEY.name,
            key_id,
            integration_id,
            env=at.settings.service.env,
            message=message,
            now=at.clock(),
            metadata={"integration_app_id": integration_id, "key_id": key_id, "network": network},
        )
