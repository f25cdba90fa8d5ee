"""uvicorn's HTTP protocol for an application behind the fast lane: what is called most costs no task.

A request of the fast lane that has arrived whole is handed over as it is, and its answer written in one piece
when it is there. Everything else, and every answer but a plain 200, goes the way of ASGI. On calls that are
made thousands of times a second, task, timer and messages are half of their cost.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http.fast_lane import Begun, FastLane

_OK = b"HTTP/1.1 200 OK\r\n"


class WholeAnswers(HttpToolsProtocol):
    _held: RequestResponseCycle | None = None
    """The request that this turn's data has begun; whether it is whole shows at the end of the data."""
    _parsing = False
    _quiet_since = 0.0

    def data_received(self, data: bytes) -> None:
        self._quiet_since = self.loop.time()
        self._parsing = True
        super().data_received(data)
        self._parsing = False
        held, self._held = self._held, None
        app: Any = self.app
        if held is not None and not self._begin(held, app):
            super()._start_asgi_task(held, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        lane: object = app
        if isinstance(lane, FastLane) and _ready(cycle):
            method, path = cycle.scope["method"], cycle.scope["path"]
            answer = lane.at_once(method, path)
            if answer is not None:
                _write(cycle, answer)
                return
            if lane.takes(method, path):
                if self._parsing:
                    self._held = cycle
                    return
                if self._begin(cycle, lane):
                    return
        super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: FastLane) -> bool:
        if cycle.more_body or not _ready(cycle):
            return False
        scope: Any = cycle.scope
        try:
            begun = app.begin(scope, bytes(cycle.body))
        except Exception:  # noqa: BLE001  on the way of ASGI it happens again and is answered with a 500
            return False
        if begun is None:
            return False
        begun.answer.add_done_callback(partial(self._conclude, cycle, app, begun))
        return True

    def _conclude(
        self, cycle: RequestResponseCycle, app: FastLane, begun: Begun, _: asyncio.Future[Any]
    ) -> None:
        scope: Any = cycle.scope
        answer = app.conclude(begun, scope) if _ready(cycle) else None
        if answer is not None:
            _write(cycle, answer)
            return
        rest: Any = app.rest_of(begun)
        super()._start_asgi_task(cycle, rest)

    def on_response_complete(self) -> None:
        """One timer for a connection that is kept, which looks back; uvicorn's own is a new one each time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._quiet_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_back_in(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        if self.transport.is_closing():
            super()._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if not self.cycle.response_complete:
            return
        left = self._quiet_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_back_in(left)
        else:
            super().timeout_keep_alive_handler()

    def _look_back_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def _ready(cycle: RequestResponseCycle) -> bool:
    """Nothing is sent yet, somebody takes it, and the connection stays."""
    return not (
        cycle.response_started
        or cycle.disconnected
        or cycle.flow.write_paused
        or cycle.waiting_for_100_continue
        or not cycle.keep_alive
    )


def _write(cycle: RequestResponseCycle, answer: bytes) -> None:
    """What `cycle.send` does for a start and a whole body."""
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"".join((_OK, _default(cycle.default_headers), answer)))
    cycle.message_event.set()
    cycle.on_response()


class _Rendered:
    """The server's own headers (the date); it makes a new list of them every second."""

    def __init__(self) -> None:
        self._pairs: Sequence[tuple[bytes, bytes]] = ()
        self._bytes = b""

    def __call__(self, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
        if pairs is not self._pairs:
            self._pairs = pairs
            self._bytes = b"".join(b"%s: %s\r\n" % pair for pair in pairs)
        return self._bytes


_default = _Rendered()
