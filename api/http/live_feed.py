"""Who is live, once a second, for everyone who watches in this process.

One look at the database per space and second serves all its watchers; nobody watching, nobody looks. A look
that takes long makes the next one wait, so that watching never takes more than a small part of the database.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

import structlog
from starlette.concurrency import run_in_threadpool

from api.core.clock import Clock
from api.core.errors import Refused
from api.core.presence import service as presence
from api.core.presence.service import LivePage
from api.db.engine import DATABASE_AWAY, Session, driver_connection
from api.http.draining import Draining

EVERY_S = 1.0
SHARE = 5
"""A look that took `t` is followed by a pause of `SHARE` times `t`, if that is longer than `EVERY_S`."""
MOST_WATCHERS = 1_000
SHOWN = 50
Look = Callable[[Sequence[str]], LivePage]
_log = structlog.get_logger("api.live_feed")


@dataclass(frozen=True, slots=True)
class Over:
    """Why watching ends: its time is up, the process goes away, or nobody looks any more."""

    reason: Literal["expired", "draining", "interrupted"]


class _Channel:
    """`next` is resolved by the next look, then replaced."""

    def __init__(self, integration_ids: Sequence[str]) -> None:
        self.integration_ids = integration_ids
        self.watchers = 0
        self.latest: LivePage | None = None
        self.next: asyncio.Future[LivePage] = asyncio.get_running_loop().create_future()


def look_with(
    transaction: Callable[[], AbstractContextManager[Session]], clock: Clock, window_seconds: int
) -> Look:
    def look(integration_ids: Sequence[str]) -> LivePage:
        with transaction() as session:
            connection = driver_connection(session)
            return presence.live(connection, integration_ids, clock(), window_seconds, limit=SHOWN)

    return look


class LiveFeed:
    def __init__(self, look: Look, draining: Draining) -> None:
        self._look, self._draining = look, draining
        self._channels: dict[str, tuple[_Channel, asyncio.Task[None]]] = {}

    @property
    def watchers(self) -> int:
        return sum(channel.watchers for channel, _ in self._channels.values())

    def check_room(self) -> None:
        """Raises `Refused` `too_many_streams`."""
        if self.watchers >= MOST_WATCHERS:
            raise Refused("Too many streams are open.", fix="Close some.", code="too_many_streams")

    async def watch(
        self, space_id: str, integration_ids: Sequence[str], seconds: float
    ) -> AsyncGenerator[LivePage | Over]:
        """Each look, the newest at once; `Over` last."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        ended = asyncio.ensure_future(self._draining.ended())
        try:
            with self._watching(space_id, integration_ids) as (channel, looking):
                if channel.latest is not None:
                    yield channel.latest
                while True:
                    coming = channel.next
                    await asyncio.wait(
                        {coming, ended, looking},
                        timeout=deadline - loop.time(),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if ended.done() or looking.done() or not coming.done():
                        draining = "draining" if ended.done() else "expired"
                        yield Over("interrupted" if looking.done() else draining)
                        return
                    yield coming.result()
        finally:
            ended.cancel()

    @contextmanager
    def _watching(
        self, space_id: str, integration_ids: Sequence[str]
    ) -> Generator[tuple[_Channel, asyncio.Task[None]]]:
        if space_id not in self._channels:
            channel = _Channel(integration_ids)
            self._channels[space_id] = channel, asyncio.create_task(self._run(channel))
        channel, looking = self._channels[space_id]
        channel.integration_ids = integration_ids
        channel.watchers += 1
        try:
            yield channel, looking
        finally:
            channel.watchers -= 1
            if not channel.watchers or looking.done():
                self._channels.pop(space_id, None)
                looking.cancel()

    async def _run(self, channel: _Channel) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                page = await run_in_threadpool(self._look, channel.integration_ids)
            except DATABASE_AWAY as error:
                _log.warning("not looking", kind=type(error).__name__)
            else:
                channel.latest = page
                coming, channel.next = channel.next, loop.create_future()
                coming.set_result(page)
            took = loop.time() - began
            await asyncio.sleep(max(EVERY_S - took, SHARE * took))
