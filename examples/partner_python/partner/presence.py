"""The heartbeat: every 30 seconds FirstUser hears who is in; who leaves is said at once."""

import asyncio
import logging
from collections.abc import Iterable

import httpx

from .firstuser import FirstUser, Refused
from .sessions import Sessions

_BATCH = 100
_FIRST_GUESS_S = 30
_GOODBYE_S = 5
_log = logging.getLogger("partner.presence")


class Presence:
    def __init__(self, firstuser: FirstUser, sessions: Sessions) -> None:
        self._firstuser = firstuser
        self._sessions = sessions
        self._someone_came = asyncio.Event()

    def entered(self) -> None:
        """The next beat goes out now and not in half a minute."""
        self._someone_came.set()

    async def left(self, user_id: str) -> None:
        """Unless they are still in with another browser."""
        if user_id not in self._sessions.present():
            await self._say([user_id], "left")

    async def beat_forever(self) -> None:
        """Until cancelled. A beat that fails is made good by the next one."""
        while True:
            self._someone_came.clear()
            next_in = await self._say(self._sessions.present(), "live")
            try:
                await asyncio.wait_for(self._someone_came.wait(), next_in)
            except TimeoutError:
                continue

    async def all_left(self) -> None:
        """At shutdown: nobody is in any more."""
        try:
            await asyncio.wait_for(self._say(self._sessions.present(), "left"), _GOODBYE_S)
        except TimeoutError:
            _log.warning("goodbye not heard")

    async def _say(self, user_ids: Iterable[str], status: str) -> int:
        next_in, users = _FIRST_GUESS_S, sorted(user_ids)
        for batch in (users[start : start + _BATCH] for start in range(0, len(users), _BATCH)):
            try:
                next_in = await self._firstuser.heartbeat(batch, status)
                _log.info("heartbeat status=%s users=%d", status, len(batch))
            except (Refused, httpx.TransportError) as error:
                _log.warning("heartbeat failed: %s", error)
        return next_in
