"""libcurl's multi interface on an asyncio loop.

What libcurl waits for is told to an `epoll` of our own, and that is all the loop watches: a reader of the
loop, added and removed for each POST, costs more than the POST's own system calls.
"""

import asyncio
import select
from collections.abc import Callable

import pycurl

KEPT = 256
"""Connections that are kept open while nothing is sent."""

_WATCHED = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_READY = {
    select.EPOLLIN: pycurl.CSELECT_IN,
    select.EPOLLOUT: pycurl.CSELECT_OUT,
    select.EPOLLIN | select.EPOLLOUT: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}
_SEE_FOR_YOURSELF = 0


class Multi:
    """`ended` is told of each handle, with libcurl's code and words, once nothing is left to do for it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ended: Callable[[pycurl.Curl, int, str], None]
    ) -> None:
        self._loop = loop
        self._ended = ended
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._starting: asyncio.Handle | None = None
        self._watched: set[int] = set()
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._act)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake)
        self._multi.setopt(pycurl.M_MAXCONNECTS, KEPT)

    def add(self, handle: pycurl.Curl) -> None:
        """To be started soon, with all that are added until then."""
        self._multi.add_handle(handle)

    def close(self) -> None:
        """Once its handles are."""
        self._due = None
        for planned in (self._timer, self._starting):
            if planned:
                planned.cancel()
        self._multi.close()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _watch(self, event: int, number: int, _multi: object, _data: object) -> None:
        """libcurl says which of its sockets it waits for, and for what."""
        known = number in self._watched
        if event == pycurl.POLL_REMOVE:
            self._forget(number)
        elif known:
            self._epoll.modify(number, _WATCHED[event])
        else:
            self._epoll.register(number, _WATCHED[event])
            self._watched.add(number)

    def _forget(self, number: int) -> None:
        if number in self._watched:
            self._watched.discard(number)
            self._epoll.unregister(number)

    def _act(self) -> None:
        for number, events in self._epoll.poll(0):
            self._multi.socket_action(number, _READY.get(events, _SEE_FOR_YOURSELF))
        self._reap()

    def _wake(self, milliseconds: int) -> None:
        """libcurl wants to be called then, whatever happens; below 0 not at all. A timer that is earlier than
        that stays: it looks again."""
        self._due = None
        if milliseconds == 0:
            self._starting = self._starting or self._loop.call_soon(self._start)
        elif milliseconds > 0:
            self._due = self._loop.time() + milliseconds / 1000
            self._plan(self._due)

    def _plan(self, due: float) -> None:
        if self._timer:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer, due = None, self._due
        if due is None:
            return
        if due > self._loop.time():
            self._plan(due)
        else:
            self._start()

    def _start(self) -> None:
        self._starting = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._reap()

    def _reap(self) -> None:
        while True:
            left, good, bad = self._multi.info_read()
            for handle in good:
                self._end(handle, 0, "")
            for handle, code, message in bad:
                self._end(handle, code, message)
            if not left:
                return

    def _end(self, handle: pycurl.Curl, code: int, message: str) -> None:
        self._multi.remove_handle(handle)
        self._ended(handle, code, message)
