"""The POSTs of the dispatcher: libcurl's multi interface on the running loop, connections kept alive.

The guard sits where the socket is opened: libcurl names the very address that it is about to connect to, and
a socket for one that is not allowed is never made, whatever a name resolved to before. One deadline over
names, connecting, TLS, headers and body; the answer is read up to a cap and never decompressed; no redirects,
no proxy, no cookies.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any

import certifi
import pycurl

from api.core.webhooks import targets
from api.core.webhooks.attempts import Attempt, Failure, excerpt, failure_of
from api.core.webhooks.targets import Target, reachable

DEADLINE_S = 15.0
MAX_ANSWER = 64 * 1024
_CONNECT_S = 5
_target = lru_cache(maxsize=4096)(targets.parse)
_KEPT = 256
_FAILURES = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure.DNS_FAILED,
    pycurl.E_COULDNT_CONNECT: Failure.CONNECT_FAILED,
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMED_OUT,
    pycurl.E_SSL_CONNECT_ERROR: Failure.TLS_FAILED,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS_FAILED,
    pycurl.E_SSL_CACERT_BADFILE: Failure.TLS_FAILED,
}


@dataclass
class _Transfer:
    target: Target
    done: asyncio.Future[Attempt]
    answer: BytesIO = field(default_factory=BytesIO)
    full: bool = False
    retry_after: str = ""
    blocked: str = ""

    def take(self, piece: bytes) -> int:
        """libcurl stops reading when less is taken than was given."""
        room = MAX_ANSWER - self.answer.tell()
        self.answer.write(piece[:room])
        self.full = len(piece) >= room
        return len(piece) if not self.full else 0

    def header(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after":
            self.retry_after = value.strip().decode("latin-1")

    def open(self, _purpose: int, place: Any) -> Any:
        """A socket for an address that may be reached; libcurl is told so when it may not."""
        family, kind, protocol, address = place
        peer = ipaddress.ip_address(address[0].decode() if isinstance(address[0], bytes) else address[0])
        if not reachable(self.target, peer):
            self.blocked = str(peer)
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)


class CurlSender:
    """`ca_file` is for tests: an authority of their own. Belongs to the loop that it is first used on."""

    def __init__(
        self,
        *,
        loopback_allowed: bool = False,
        deadline_s: float = DEADLINE_S,
        ca_file: str | None = None,
        resolve: Mapping[str, str] | None = None,
    ) -> None:
        """`resolve` (host:port → address) is for tests, too: names of their own."""
        self._loopback_allowed = loopback_allowed
        self._deadline_ms = round(deadline_s * 1000)
        self._ca_file = ca_file or certifi.where()
        self._resolve = [f"{place}:{address}" for place, address in (resolve or {}).items()]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle: list[pycurl.Curl] = []
        self._running: dict[pycurl.Curl, _Transfer] = {}
        self._watched: set[int] = set()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, _KEPT)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        target = _target(url, self._loopback_allowed)
        self._loop = asyncio.get_running_loop()
        transfer = _Transfer(target, self._loop.create_future())
        handle = self._idle.pop() if self._idle else pycurl.Curl()
        self._prepare(handle, transfer, headers, body)
        self._running[handle] = transfer
        self._multi.add_handle(handle)
        return await transfer.done

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for handle in [*self._running, *self._idle]:
            handle.close()
        self._multi.close()

    def _prepare(
        self, handle: pycurl.Curl, transfer: _Transfer, headers: Mapping[str, str], body: bytes
    ) -> None:
        target = transfer.target
        sent = {**headers, "Content-Type": "application/json", "User-Agent": "FirstUser-Webhooks/1"}
        options: dict[int, Any] = {
            pycurl.URL: f"{target.scheme}://{target.authority}{target.path}",
            pycurl.PATH_AS_IS: 1,
            pycurl.POST: 1,
            pycurl.POSTFIELDSIZE: len(body),
            pycurl.POSTFIELDS: body,
            pycurl.HTTPHEADER: [*(f"{name}: {value}" for name, value in sent.items()), "Expect:"],
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTPS if target.scheme == "https" else pycurl.PROTO_HTTP,
            pycurl.PROXY: "",
            pycurl.NOSIGNAL: 1,
            pycurl.TIMEOUT_MS: self._deadline_ms,
            pycurl.CONNECTTIMEOUT: _CONNECT_S,
            pycurl.CAINFO: self._ca_file,
            pycurl.OPENSOCKETFUNCTION: transfer.open,
            pycurl.WRITEFUNCTION: transfer.take,
            pycurl.HEADERFUNCTION: transfer.header,
        }
        if self._resolve:
            options[pycurl.RESOLVE] = self._resolve
        for option, value in options.items():
            handle.setopt(option, value)

    def _watch(self, event: int, number: int, _multi: object, _data: object) -> None:
        """libcurl says which of its sockets it waits for, and for what."""
        loop = self._loop
        if loop is None:
            return
        if number in self._watched:
            loop.remove_reader(number)
            loop.remove_writer(number)
            self._watched.discard(number)
        if event & pycurl.POLL_IN and event != pycurl.POLL_REMOVE:
            loop.add_reader(number, self._act, number, pycurl.CSELECT_IN)
            self._watched.add(number)
        if event & pycurl.POLL_OUT and event != pycurl.POLL_REMOVE:
            loop.add_writer(number, self._act, number, pycurl.CSELECT_OUT)
            self._watched.add(number)

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if milliseconds >= 0 and self._loop:
            self._timer = self._loop.call_later(milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, number: int, events: int) -> None:
        self._multi.socket_action(number, events)
        while True:
            left, good, bad = self._multi.info_read()
            for handle in good:
                self._finish(handle, 0, "")
            for handle, code, message in bad:
                self._finish(handle, code, message)
            if not left:
                return

    def _finish(self, handle: pycurl.Curl, code: int, message: str) -> None:
        transfer = self._running.pop(handle)
        attempt = _attempt(handle, transfer, code, message)
        self._multi.remove_handle(handle)
        handle.reset()
        self._idle.append(handle)
        if not transfer.done.done():
            transfer.done.set_result(attempt)


def _attempt(handle: pycurl.Curl, transfer: _Transfer, code: int, message: str) -> Attempt:
    latency = round(handle.getinfo(pycurl.TOTAL_TIME) * 1000)
    address = handle.getinfo(pycurl.PRIMARY_IP)
    if transfer.blocked and code:
        said = f"{transfer.target.host} has no address that a webhook may go to: {transfer.blocked}."
        return Attempt(Failure.ADDRESS_BLOCKED, None, latency, "", transfer.blocked, said)
    if code and not transfer.full:
        return Attempt(_FAILURES.get(code, Failure.BROKEN_OFF), None, latency, "", address, message)
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    said = excerpt(transfer.answer.getvalue())
    return Attempt(failure_of(status), status, latency, said, address, retry_after=transfer.retry_after)
