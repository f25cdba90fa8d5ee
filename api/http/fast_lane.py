"""What is called most, answered before routing and middleware cost more than the work.

Only what is ordinary is answered here: a key that was recognised a moment ago, a whole body exactly as
described, a limit not reached, a first time long noted. Everything else goes on, untouched, to the documented
route, which says what is wrong with it. Both ask the same batches, and give the same headers and log line.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import request_log
from api.core.access.exchange_rules import attempt
from api.core.access.milestones import Key
from api.core.ids import new_id
from api.core.keys.known import KnownKey
from api.core.presence.pages import PageAsked
from api.core.presence.rules import Beat
from api.http import errors, fast_answers, fast_bodies, hot_calls
from api.http.fast_bodies import ExchangeAsked
from api.http.middleware import MAX_BODY, RequestContext, default_headers
from api.http.rate_limits import RawHeaders
from api.http.services import Services

WHOLE_ANSWER = "firstuser.whole_answer"
"""An ASGI extension (`deployments.whole_answers`); `send`: (headers, body of a 200) → whether it was sent."""
_PREFIX = "/api/integration/v1"
_HEALTHZ = "/api/healthz"
_HEALTHY = b'{"status":"ok"}'
_BEARER = b"Bearer "
_JSON = b"application/json"
_LIMIT = re.compile(rb"limit=([1-9][0-9]?|100)")

Asked = TypeVar("Asked")
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Post(Generic[Asked]):
    """`read`: what the headers and the body ask for, None for anything unusual. `answer`: the body of a 200,
    from what was read, the integration and the request's id."""

    first_time: Key
    read: Callable[[Headers, bytes], Asked | None]
    answer: Callable[[Asked, str, str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class _Get(Generic[Asked]):
    """`read`: what the query asks for of the integration, None for anything unusual. `answer`: the body of a
    200, from what was read."""

    read: Callable[[str, bytes], Asked | None]
    answer: Callable[[Asked], Awaitable[bytes]]


class FastLane:
    """In front of the application `app`."""

    def __init__(self, app: ASGIApp, at: Services) -> None:
        self._app, self._at = app, at
        self._posts: Mapping[str, _Post[Any]] = {
            f"{_PREFIX}/heartbeat": _Post("heartbeat", self._read_beats, self._record),
            f"{_PREFIX}/access/exchange": _Post("exchange", fast_bodies.exchange, self._exchange),
        }
        self._gets: Mapping[str, _Get[Any]] = {
            f"{_PREFIX}/users/live": _Get(_read_page, self._live),
            f"{_PREFIX}/me": _Get(_read_me, self._me),
        }
        https = at.settings.platform.public_app_url.startswith("https://")
        self._guarded = ServerErrorMiddleware(self._call, handler=errors.unexpected)
        self._refusing = RequestContext(_refuse, https)
        self._headers = [(b"content-type", _JSON), *default_headers(https)]
        self._head = b"".join(b"%s: %s\r\n" % pair for pair in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            if (method == "POST" and path in self._posts) or (method == "GET" and path in self._gets):
                await self._guarded(scope, receive, send)
                return
            if method == "GET" and path == _HEALTHZ:
                await self._answer(scope, send, _HEALTHY, new_id("req"), time.perf_counter())
                return
        await self._app(scope, receive, send)

    def at_once(self, method: str, path: str) -> tuple[bytes, bytes] | None:
        """Headers and body of an answer that needs no waiting, for a server that sends them as they are."""
        if path != _HEALTHZ or method != "GET":
            return None
        request_id = new_id("req")
        request_log.lines.write(request_id, "GET", _HEALTHZ, 200, 0.0)
        return self._told(_own_headers(_HEALTHY, request_id, ())), _HEALTHY

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._get if scope["method"] == "GET" else self._post
        await work(scope, receive, send, _headers(scope), time.perf_counter())

    async def _get(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, started: float
    ) -> None:
        get = self._gets[scope["path"]]
        key = self._key("first_call", headers)
        asked = get.read(key.integration_id, scope["query_string"]) if key is not None else None
        limit = self._admitted(key) if key is not None and asked is not None else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        await self._answered(get.answer(asked), scope, receive, send, new_id("req"), limit, started)

    async def _post(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, started: float
    ) -> None:
        post = self._posts[scope["path"]]
        key = self._key(post.first_time, headers) if headers.get(b"content-type") == _JSON else None
        if key is None:
            await self._app(scope, receive, send)
            return
        message = await receive()
        asked = post.read(headers, message["body"]) if _whole(message, headers) else None
        limit = self._admitted(key) if asked is not None else None
        if limit is None:
            await self._app(scope, _replayed(message, receive), send)
            return
        request_id = new_id("req")
        answer = post.answer(asked, key.integration_id, request_id)
        await self._answered(answer, scope, receive, send, request_id, limit, started)

    async def _answered(
        self,
        answer: Awaitable[bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
        request_id: str,
        limit: RawHeaders,
        started: float,
    ) -> None:
        scope.setdefault("state", {})["request_id"] = request_id
        try:
            body = await answer
        except errors.ANSWERED as error:
            scope["state"] |= {"rate_limit": limit, "refusal": error}
            await self._refusing(scope, receive, send)
        else:
            await self._answer(scope, send, body, request_id, started, limit)

    async def _answer(
        self,
        scope: Scope,
        send: Send,
        body: bytes,
        request_id: str,
        started: float,
        limit: RawHeaders = (),
    ) -> None:
        own = _own_headers(body, request_id, limit)
        whole = scope.get("extensions", {}).get(WHOLE_ANSWER)
        if whole is None or not whole["send"](self._told(own), body):
            await send({"type": "http.response.start", "status": 200, "headers": [*self._headers, *own]})
            await send({"type": "http.response.body", "body": body})
        took = round((time.perf_counter() - started) * 1000, 1)
        request_log.lines.write(request_id, scope["method"], scope["path"], 200, took)

    def _told(self, own: RawHeaders) -> bytes:
        """All headers as they are sent."""
        return b"".join((self._head, *[b"%s: %s\r\n" % pair for pair in own], b"\r\n"))

    def _key(self, first_time: Key, headers: Headers) -> KnownKey | None:
        """The key of an ordinary call: known, in force, switched on, its first time noted."""
        authorization, at = headers.get(b"authorization", b""), self._at
        if not authorization.startswith(_BEARER):
            return None
        key = at.keys.get_settled(authorization[len(_BEARER) :])
        ordinary = (
            key is not None
            and key.valid(at.clock())
            and at.calls.noted(key.integration_id, first_time)
            and at.flags.integration_enabled(key.integration_id)
        )
        return key if ordinary else None

    def _admitted(self, key: KnownKey) -> RawHeaders | None:
        """What is left of the limit. Asked last, so that a call counts once, here or on its route."""
        taken = self._at.limits.of_key(key.id)
        return None if taken.retry_after else self._at.limits.headers(taken)

    def _read_beats(self, _: Headers, body: bytes) -> Sequence[Beat] | None:
        return fast_bodies.beats(body, self._at.clock())

    async def _record(self, beats: Sequence[Beat], integration_id: str, _: str) -> bytes:
        accepted, rejected = await self._at.calls.heartbeats.submit((integration_id, beats))
        return fast_answers.heartbeat(accepted, rejected, self._at.settings.service.live_ttl_seconds)

    async def _exchange(self, asked: ExchangeAsked, integration_id: str, request_id: str) -> bytes:
        key = hot_calls.attempt_key(asked.idempotency_key, request_id)
        tried = attempt(
            integration_id, asked.code, asked.return_url, asked.code_verifier, key, self._at.clock()
        )
        tally = self._at.exchange_reports.tally
        try:
            outcome = await self._at.calls.exchanges.submit(tried)
        except Exception as error:
            if errors.is_server_failure(error):
                tally.failed(integration_id)
            raise
        found = hot_calls.granted(outcome, integration_id, request_id)
        tally.succeeded(integration_id)
        return fast_answers.exchanged(found)

    async def _live(self, asked: PageAsked) -> bytes:
        page = await self._at.calls.live_pages.submit(asked)
        return fast_answers.live_users(page)

    async def _me(self, integration_id: str) -> bytes:
        """Raises `NotFound`."""
        found = hot_calls.existing(await self._at.calls.integrations.submit(integration_id), integration_id)
        return fast_answers.integration(found)


def _own_headers(body: bytes, request_id: str, limit: RawHeaders) -> RawHeaders:
    return ((b"content-length", b"%d" % len(body)), (b"request-id", request_id.encode()), *limit)


def _read_me(integration_id: str, query: bytes) -> str | None:
    return None if query else integration_id


def _read_page(integration_id: str, query: bytes) -> PageAsked | None:
    """The first page, of a plain size."""
    if not query:
        return PageAsked(integration_id)
    size = _LIMIT.fullmatch(query)
    return PageAsked(integration_id, limit=int(size[1])) if size else None


def _headers(scope: Scope) -> Headers:
    """Empty when a name comes twice: which one counts is not decided here."""
    pairs = scope["headers"]
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


def _whole(message: Message, headers: Headers) -> bool:
    """The message holds the whole body, as large as announced and no larger than the cap."""
    if message["type"] != "http.request" or message.get("more_body"):
        return False
    size = len(message.get("body", b""))
    return size <= MAX_BODY and headers.get(b"content-length") == b"%d" % size


def _replayed(message: Message, receive: Receive) -> Receive:
    """The body as if nobody had looked at it."""
    first: list[Message] = [message]

    async def replaying() -> Message:
        return first.pop() if first else await receive()

    return replaying


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await errors.answer_to(Request(scope), scope["state"]["refusal"])(scope, receive, send)
