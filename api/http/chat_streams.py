"""Streams of events: what a conversation says from now on, resumable, and over when its reader's time is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from api.http.chat_feed import ChatFeed
from api.http.chat_followers import End, Follower
from api.http.chat_shapes import message

HEARTBEAT_S = 15.0
SEND_TIMEOUT_S = 10.0
RETRY_MS = 2_000
_CUT = "\n"


def position(after: int, last_event_id: str | None, last_seq: int) -> int:
    """Where a stream begins: a browser that connects again says what it saw last."""
    said = (
        int(last_event_id)
        if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 17
        else after
    )
    return min(said, last_seq)


class ChatStream(EventSourceResponse):
    """Events `message` (`id` is its `seq`) and, last, `end` with the reason. A client that takes nothing for
    `SEND_TIMEOUT_S` is dropped; it may come back and go on where it stopped.

    Raises `Refused` `too_many_streams`."""

    def __init__(self, feed: ChatFeed, follower: Follower, seconds: float) -> None:
        feed.check_room(follower)
        super().__init__(
            _events(feed, follower, seconds),
            ping=HEARTBEAT_S,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep=_CUT),
            send_timeout=SEND_TIMEOUT_S,
            sep=_CUT,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


async def _events(feed: ChatFeed, follower: Follower, seconds: float) -> AsyncIterator[ServerSentEvent]:
    deadline = asyncio.get_running_loop().time() + seconds
    with feed.following(follower):
        yield ServerSentEvent(comment="open", retry=RETRY_MS, sep=_CUT)
        while True:
            found = await follower.next(deadline)
            if isinstance(found, End):
                break
            data = message(found).model_dump_json()
            yield ServerSentEvent(data, event="message", id=str(found.seq), sep=_CUT)
            if follower.wants_more:
                feed.look_at(follower.conversation_id)
        yield ServerSentEvent(f'{{"reason":"{found.reason}"}}', event="end", sep=_CUT)
