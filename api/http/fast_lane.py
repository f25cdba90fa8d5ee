"""What is called most, answered before routing and middleware cost more than the work.

Only what is ordinary is answered here: a key that was recognised a moment ago, a whole body exactly as
described, a limit not reached, a first time long noted. Everything else goes on, untouched, to the documented
route, which says what is wrong with it. Both ask the same batches, and give the same headers and log line.

A server that has the whole request at hand (`deployments.whole_answers`) asks `begin` and `conclude` instead
of awaiting the application: a task for each request would cost as much as the request.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import request_log, tracing
from api.core.access.milestones import Key
from api.core.ids import new_id
from api.core.keys.known import KnownKey
from api.http import errors, fast_calls
from api.http.fast_calls import Call, Headers
from api.http.middleware import MAX_BODY, RequestContext, default_headers
from api.http.rate_limits import RawHeaders
from api.http.services import Services

_HEALTHZ = ("GET", "/api/healthz")
_HEALTHY = b'{"status":"ok"}'
_BEARER = b"Bearer "
_JSON = b"application/json"


@dataclass(slots=True)
class Begun:
    """A call in its batch. `answer` is done when the batch is; `body` and `error` are what came of it."""

    call: Call[Any, Any]
    integration_id: str
    request_id: str
    limit: RawHeaders
    started: float
    answer: asyncio.Future[Any]
    body: bytes = b""
    error: BaseException | None = None
    settled: bool = False

    def settle(self) -> None:
        """When `answer` is done."""
        if self.settled:
            return
        self.settled, self.error = True, self.answer.exception()
        if self.error is None:
            try:
                self.body = self.call.answer(self.answer.result(), self.integration_id, self.request_id)
            except errors.ANSWERED as error:
                self.error = error


class FastLane:
    """In front of the application `app`."""

    def __init__(self, app: ASGIApp, at: Services) -> None:
        self._app, self._at = app, at
        self._calls = fast_calls.calls(at)
        https = at.settings.platform.public_app_url.startswith("https://")
        self._guarded = ServerErrorMiddleware(self._call, handler=errors.unexpected)
        self._refusing = RequestContext(_refuse, https)
        self._headers = [(b"content-type", _JSON), *default_headers(https)]
        self._head = b"".join(b"%s: %s\r\n" % pair for pair in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            called = (scope["method"], scope["path"])
            if called in self._calls:
                await self._guarded(scope, receive, send)
                return
            if called == _HEALTHZ:
                await self._answer(scope, send, _HEALTHY, new_id("req"), time.perf_counter())
                return
        await self._app(scope, receive, send)

    def at_once(self, method: str, path: str) -> bytes | None:
        """Headers and body of an answer that needs no waiting."""
        if (method, path) != _HEALTHZ:
            return None
        request_id = new_id("req")
        request_log.lines.write(request_id, method, path, 200, 0.0)
        return self._whole(_HEALTHY, request_id, ())

    def takes(self, method: str, path: str) -> bool:
        """`begin` may be asked, as soon as the whole body is there."""
        return (method, path) in self._calls

    def begin(self, scope: Scope, body: bytes) -> Begun | None:
        """The call in its batch; None, and nothing has happened, when it is for the application to answer."""
        call, headers, started = self._called(scope), _headers(scope), time.perf_counter()
        key = self._key(call, scope["method"], headers)
        if key is None or not _whole(scope["method"], body, headers):
            return None
        return self._begin(call, key, scope, headers, body, started)

    def conclude(self, begun: Begun, scope: Scope) -> bytes | None:
        """Headers and body of the 200 when the batch is done; None when `rest_of` has to answer."""
        begun.settle()
        if begun.error is not None:
            return None
        self._note(scope, begun.request_id, begun.started)
        return self._whole(begun.body, begun.request_id, begun.limit)

    def rest_of(self, begun: Begun) -> ASGIApp:
        """What answers a call that was begun, whatever came of it."""
        return ServerErrorMiddleware(partial(self._finish, begun), handler=errors.unexpected)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, receive = await self._received(scope, receive)
        await (self._app if begun is None else partial(self._finish, begun))(scope, receive, send)

    async def _finish(self, begun: Begun, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["request_id"] = begun.request_id
        await asyncio.wait([begun.answer])
        begun.settle()
        if begun.error is None:
            await self._answer(scope, send, begun.body, begun.request_id, begun.started, begun.limit)
        elif isinstance(begun.error, errors.ANSWERED):
            scope["state"] |= {"rate_limit": begun.limit, "refusal": begun.error}
            await self._refusing(scope, receive, send)
        else:
            raise begun.error

    async def _received(self, scope: Scope, receive: Receive) -> tuple[Begun | None, Receive]:
        """The call in its batch, or None and the body as if nobody had looked at it."""
        call, headers, started = self._called(scope), _headers(scope), time.perf_counter()
        key = self._key(call, scope["method"], headers)
        if key is None:
            return None, receive
        if scope["method"] == "GET":
            return self._begin(call, key, scope, headers, b"", started), receive
        message = await receive()
        body = message.get("body", b"")
        whole = message["type"] == "http.request" and not message.get("more_body")
        begun = None
        if whole and _whole("POST", body, headers):
            begun = self._begin(call, key, scope, headers, body, started)
        return begun, _replayed(message, receive)

    def _called(self, scope: Scope) -> Call[Any, Any]:
        return self._calls[scope["method"], scope["path"]]

    def _key(self, call: Call[Any, Any], method: str, headers: Headers) -> KnownKey | None:
        if method == "POST" and headers.get(b"content-type") != _JSON:
            return None
        return self._ordinary(call.first_time, headers)

    def _ordinary(self, first_time: Key, headers: Headers) -> KnownKey | None:
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

    def _begin(
        self,
        call: Call[Any, Any],
        key: KnownKey,
        scope: Scope,
        headers: Headers,
        body: bytes,
        started: float,
    ) -> Begun | None:
        asked = call.read(fast_calls.Request(key.integration_id, headers, scope["query_string"], body))
        limit = self._admitted(key) if asked is not None else None
        if limit is None:
            return None
        request_id = new_id("req")
        try:
            answer = call.submit(asked, key.integration_id, request_id)
        except errors.ANSWERED as error:
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(error)
        return Begun(call, key.integration_id, request_id, limit, started, answer)

    def _admitted(self, key: KnownKey) -> RawHeaders | None:
        """What is left of the limit. Asked last, so that a call counts once, here or on its route."""
        taken = self._at.limits.of_key(key.id)
        return None if taken.retry_after else self._at.limits.headers(taken)

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
        await send({"type": "http.response.start", "status": 200, "headers": [*self._headers, *own]})
        await send({"type": "http.response.body", "body": body})
        self._note(scope, request_id, started)

    def _whole(self, body: bytes, request_id: str, limit: RawHeaders) -> bytes:
        """Headers and body as they are sent."""
        own = [b"%s: %s\r\n" % pair for pair in _own_headers(body, request_id, limit)]
        return b"".join((self._head, *own, b"\r\n", body))

    def _note(self, scope: Scope, request_id: str, started: float) -> None:
        took = round((time.perf_counter() - started) * 1000, 1)
        method, path = scope["method"], scope["path"]
        request_log.lines.write(request_id, method, path, 200, took)
        if tracing.on():
            _trace(method, path, request_id, took)


def _trace(method: str, path: str, request_id: str, took: float) -> None:
    """Its path is its route."""
    facts = {"http.request.method": method, "http.route": path, "firstuser.request_id": request_id}
    tracing.passed(f"{method} {path}", {**facts, "http.response.status_code": 200}, took)


def _own_headers(body: bytes, request_id: str, limit: RawHeaders) -> RawHeaders:
    return ((b"content-length", b"%d" % len(body)), (b"request-id", request_id.encode()), *limit)


def _headers(scope: Scope) -> Headers:
    """Empty when a name comes twice: which one counts is not decided here."""
    pairs = scope["headers"]
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


def _whole(method: str, body: bytes, headers: Headers) -> bool:
    """The body is as large as announced and no larger than the cap; reads have none that counts."""
    size = len(body)
    return method == "GET" or (size <= MAX_BODY and headers.get(b"content-length") == b"%d" % size)


def _replayed(message: Message, receive: Receive) -> Receive:
    """The body as if nobody had looked at it."""
    first: list[Message] = [message]

    async def replaying() -> Message:
        return first.pop() if first else await receive()

    return replaying


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await errors.answer_to(Request(scope), scope["state"]["refusal"])(scope, receive, send)
