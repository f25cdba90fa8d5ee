"""New messages for everyone who has a stream open in this process.

One connection listens for the database's word that something was said; it is only a hint. Every `POLL_S`, and
at each hint, one query asks what stands behind the position of each follower. No stream holds a connection,
and none more than a few messages: who reads slowly falls behind, and catches up later.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
import structlog
from starlette.concurrency import run_in_threadpool

from api.core.access import holders
from api.core.chat import service as chat
from api.core.chat.service import MessageView
from api.core.errors import Refused
from api.db.address import DatabaseAddress
from api.db.engine import DATABASE_AWAY, Session
from api.http.chat_followers import Follower
from api.http.draining import Draining
from api.http.flag_board import FlagBoard

POLL_S = 2.0
BATCH = 50
MOST_STREAMS = 2_000
MOST_STREAMS_PER_SIDE = 20  # of one conversation: nobody keeps the other out
_RECONNECT_S = 1.0
_log = structlog.get_logger("api.chat_feed")


class ChatFeed:
    """`following` counts a stream in for as long as its block runs."""

    def __init__(
        self,
        database: str | DatabaseAddress,
        transaction: Callable[[], AbstractContextManager[Session]],
        flags: FlagBoard,
        draining: Draining,
    ) -> None:
        self._address = DatabaseAddress.of(database)
        self._transaction, self._flags, self._draining = transaction, flags, draining
        self._followers: dict[str, set[Follower]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._hinted: set[str] = set()
        self._hint = asyncio.Event()

    @property
    def open_streams(self) -> int:
        return sum(len(of_one) for of_one in self._followers.values())

    def check_room(self, follower: Follower) -> None:
        """Raises `Refused` `too_many_streams`."""
        others = self._followers.get(follower.conversation_id, ())
        same_side = sum(other.grant_id == follower.grant_id for other in others)
        if same_side >= MOST_STREAMS_PER_SIDE or self.open_streams >= MOST_STREAMS:
            raise Refused("Too many streams are open.", fix="Close some.", code="too_many_streams")

    @contextmanager
    def following(self, follower: Follower) -> Generator[None]:
        self._run()
        self._followers.setdefault(follower.conversation_id, set()).add(follower)
        if self._draining.ending:
            follower.end("draining")
        self.look_at(follower.conversation_id)
        try:
            yield
        finally:
            left = self._followers[follower.conversation_id]
            left.discard(follower)
            if not left:
                del self._followers[follower.conversation_id]

    def look_at(self, conversation_id: str) -> None:
        """Something may wait there for those who follow it."""
        if conversation_id in self._followers:
            self._hinted.add(conversation_id)
            self._hint.set()

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self) -> None:
        if not self._tasks:
            self._hint = asyncio.Event()  # of the loop that runs now
            self._tasks = [
                asyncio.create_task(work) for work in (self._listen(), self._look(), self._drain())
            ]
            self._tasks[1].add_done_callback(self._stopped)

    def _stopped(self, looking: asyncio.Task[None]) -> None:
        """Without anyone looking no stream would say another word: all end, and the next one begins anew."""
        if not looking.cancelled():
            _log.error("stopped looking", kind=type(looking.exception()).__name__)
            self._tasks = []
            self._end_all("interrupted")

    async def _listen(self) -> None:
        while True:
            try:
                url = self._address.url
                connection = await psycopg.AsyncConnection.connect(
                    url, autocommit=True, connect_timeout=5, application_name="firstuser-chat-feed"
                )
                async with connection:
                    await connection.execute(f"listen {chat.CHANNEL}")
                    while not self._address.stale(url):
                        async for notice in connection.notifies(timeout=POLL_S):
                            self.look_at(notice.payload)
            except psycopg.Error as error:
                _log.warning("not listening", kind=type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            hinted = await self._wait_for_hint(due - loop.time())
            try:
                if loop.time() >= due:
                    due = loop.time() + POLL_S
                    await self._end_who_may_not()
                    hinted = set(self._followers)
                await self._catch_up(hinted)
            except DATABASE_AWAY as error:
                _log.warning("not looking", kind=type(error).__name__)

    async def _wait_for_hint(self, seconds: float) -> set[str]:
        try:
            await asyncio.wait_for(self._hint.wait(), max(0.0, seconds))
        except TimeoutError:
            return set()
        self._hint.clear()
        hinted, self._hinted = self._hinted, set()
        return hinted

    async def _catch_up(self, conversation_ids: set[str]) -> None:
        positions = self._positions(conversation_ids)
        if not positions:
            return
        found = await run_in_threadpool(self._ask, positions)
        for message in found:
            for follower in self._followers.get(message.conversation_id, ()):
                follower.offer(message)
        for conversation_id in positions:
            if sum(message.conversation_id == conversation_id for message in found) == BATCH:
                self.look_at(conversation_id)

    def _positions(self, conversation_ids: set[str]) -> dict[str, int]:
        """Where the last of those stands who have room for more."""
        positions: dict[str, int] = {}
        for conversation_id in conversation_ids:
            standing = [one.position for one in self._followers.get(conversation_id, ()) if not one.is_full]
            if standing:
                positions[conversation_id] = min(standing)
        return positions

    def _ask(self, positions: Mapping[str, int]) -> Sequence[MessageView]:
        with self._transaction() as session:
            return chat.after_each(session, positions, BATCH)

    async def _end_who_may_not(self) -> None:
        everyone = [one for of_one in self._followers.values() for one in of_one]
        grant_ids = {one.grant_id for one in everyone if one.grant_id}
        revoked = await run_in_threadpool(self._revoked, grant_ids) if grant_ids else frozenset[str]()
        for one in everyone:
            if one.integration_id and not self._flags.integration_enabled(one.integration_id):
                one.end("disabled")
            elif one.grant_id in revoked:
                one.end("revoked")

    def _revoked(self, grant_ids: set[str]) -> frozenset[str]:
        with self._transaction() as session:
            return holders.revoked(session, grant_ids)

    async def _drain(self) -> None:
        await self._draining.ended()
        _log.info("streams end", open=self.open_streams)
        self._end_all("draining")

    def _end_all(self, reason: str) -> None:
        for of_one in self._followers.values():
            for follower in of_one:
                follower.end(reason)
