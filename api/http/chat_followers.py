"""One open stream each: where it stands, what it has not sent yet, and why it ends."""

import asyncio
from dataclasses import dataclass

from api.core.chat.service import MessageView

QUEUE = 64
"""Messages that wait for a slow reader; it catches up on the others later."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a stream is over: `expired`, `revoked`, `disabled`, `draining` or `interrupted`."""

    reason: str


class Follower:
    """`grant_id` is the grant of the person whose frame it is; None: a founder follows."""

    def __init__(
        self,
        conversation_id: str,
        position: int,
        grant_id: str | None = None,
        integration_id: str | None = None,
    ) -> None:
        self.conversation_id, self.position = conversation_id, position
        self.grant_id, self.integration_id = grant_id, integration_id
        self._waiting: asyncio.Queue[MessageView] = asyncio.Queue(QUEUE)
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._behind = False

    @property
    def is_full(self) -> bool:
        return self._waiting.full()

    @property
    def wants_more(self) -> bool:
        """Everything has been sent, and there was something that found no room."""
        return self._behind and self._waiting.empty()

    def offer(self, message: MessageView) -> None:
        """Taken when it is the next one and there is room for it."""
        self._behind = self.is_full
        if message.seq > self.position and not self.is_full:
            self._waiting.put_nowait(message)
            self.position = message.seq

    def end(self, reason: str) -> None:
        if not self._end.done():
            self._end.set_result(End(reason))

    async def next(self, deadline: float) -> MessageView | End:
        """The next message; or the end, at the loop's time `deadline` at the latest."""
        if not self._end.done() and not self._waiting.empty():
            return self._waiting.get_nowait()
        getting = asyncio.ensure_future(self._waiting.get())
        try:
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait({getting, self._end}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if self._end.done():
                return self._end.result()
            return getting.result() if getting.done() else End("expired")
        finally:
            getting.cancel()
