"""What happens around every request: an id, a log line, safe headers, a size limit, and no foreign origins.

Written against ASGI itself: on the hot path a wrapped request object costs more than the work.
"""

import time
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import request_log, request_metrics, tracing
from api.core.ids import new_id
from api.http.problems import Problem

MAX_BODY = 256 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER_SURFACES = ("/api/integration/", "/api/widget/", "/api/ops/")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
_SECRET = ("/w/", "/ack/", "/duty/")


class RequestContext:
    """Gives the request its id, its headers and its log line."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self._app = app
        self._defaults = default_headers(https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state.setdefault("request_id", new_id("req"))
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if tracing.on():
                await self._traced(scope, receive, send, request_id)
            else:
                await self._answered(scope, receive, send, request_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """As W3C Trace Context and OpenTelemetry's conventions for HTTP name things."""
        method, headers = request_metrics.method_of(scope), Headers(scope=scope)
        facts = {"http.request.method": method, "firstuser.request_id": request_id}
        with tracing.span(method, facts, "server", headers) as span:
            status = await self._answered(scope, receive, send, request_id)
            if span is not None:
                route = request_metrics.route_of(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})

    async def _answered(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> int:
        """The status."""
        started, status, state = time.perf_counter(), 500, scope["state"]

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *self._complete(message.get("headers", ())),
                    (b"request-id", request_id.encode()),
                    *state.get("rate_limit", ()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, sending)
            return status
        finally:
            took = round((time.perf_counter() - started) * 1000, 1)
            method, route = request_metrics.method_of(scope), request_metrics.route_of(scope)
            path, more = loggable(scope["path"]), tracing.ids(None, "", {})
            request_log.lines.write(request_id, method, path, status, took, route, more)

    def _complete(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """What the answer says itself, and our defaults for the rest."""
        said = list(headers)
        names = {name for name, _ in said}
        said.extend(default for default in self._defaults if default[0] not in names)
        return said


class BodyLimit:
    """Refuses bodies over `MAX_BODY`, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > MAX_BODY:
            await _too_large(scope)(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise BodyTooLarge
            return message

        await self._app(scope, counting, send)


class BodyTooLarge(Exception):
    """The body turned out larger than `MAX_BODY`; the door answers 413."""


class SameOrigin:
    """Unsafe methods that ride on a cookie must come from our own pages.

    A browser says so in Sec-Fetch-Site; any other client has to name our origin exactly."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._origins: Collection[str] = {origin_of(public_url)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = (
            scope["type"] == "http"
            and scope["method"] not in _SAFE_METHODS
            and not scope["path"].startswith(_BEARER_SURFACES)
        )
        if guarded and not self._is_ours(Headers(scope=scope)):
            problem = Problem(403, "foreign_origin", "This request did not come from our own pages.")
            await problem.response(scope["state"].get("request_id", ""))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        return site == "same-origin" if site else headers.get("origin", "") in self._origins


def default_headers(https: bool) -> list[tuple[bytes, bytes]]:
    """What every answer says unless it says otherwise."""
    defaults = [
        (b"cache-control", b"no-store"),
        (b"content-security-policy", content_policy().encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]
    if https:
        defaults.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return defaults


def content_policy(frame_ancestors: str = "'none'") -> str:
    """Only our own scripts, styles and calls; framed by nobody, or by the origins that are named."""
    return _CSP + frame_ancestors


def loggable(path: str) -> str:
    """Without what gives access to whoever knows it: a visitor's token, an acknowledgement's code."""
    return next((f"{start}…" for start in _SECRET if path.startswith(start)), path)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _too_large(scope: Scope) -> ASGIApp:
    problem = Problem(413, "body_too_large", f"The body is larger than {MAX_BODY} bytes.")
    return problem.response(scope["state"].get("request_id", ""))
