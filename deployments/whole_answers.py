"""uvicorn's HTTP protocol with one more ASGI extension: an answer written in one piece.

`scope["extensions"]["firstuser.whole_answer"]["send"]` takes the headers of a 200 as bytes and its body and
says whether it has answered. One write instead of two, without looking at each header again: on calls that
are made thousands of times a second that is a third of their cost.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http.fast_lane import WHOLE_ANSWER, FastLane

_OK = b"HTTP/1.1 200 OK\r\n"


class WholeAnswers(HttpToolsProtocol):
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """What needs no waiting is answered here and now: a task would cost more than the answer."""
        answer = _at_once(app, cycle)
        if answer is not None:
            _write(cycle, *answer)
            return
        cycle.scope["extensions"] = {WHOLE_ANSWER: {"send": partial(_send, cycle)}}
        super()._start_asgi_task(cycle, app)


def _at_once(app: object, cycle: RequestResponseCycle) -> tuple[bytes, bytes] | None:
    if not isinstance(app, FastLane) or not _ready(cycle):
        return None
    return app.at_once(cycle.scope["method"], cycle.scope["path"])


def _send(cycle: RequestResponseCycle, headers: bytes, body: bytes) -> bool:
    """False: it has to be sent the usual way."""
    ready = _ready(cycle)
    if ready:
        _write(cycle, headers, body)
    return ready


def _ready(cycle: RequestResponseCycle) -> bool:
    """Nothing is sent yet, somebody takes it, and the connection stays."""
    return not (
        cycle.response_started or cycle.disconnected or cycle.flow.write_paused or not cycle.keep_alive
    )


def _write(cycle: RequestResponseCycle, headers: bytes, body: bytes) -> None:
    """What `cycle.send` does for a start and a whole body."""
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"".join((_OK, _default(cycle.default_headers), headers, body)))
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
