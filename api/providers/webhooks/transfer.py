"""One handle of libcurl: made ready once, it carries one POST after another."""

import ipaddress
import socket
from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pycurl

from api.core.webhooks.attempts import Attempt, Failure, excerpt, failure_of
from api.core.webhooks.targets import Target, reachable

MAX_ANSWER = 64 * 1024
_RETRY_AFTER = b"retry-after:"
_FAILURES = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure.DNS_FAILED,
    pycurl.E_COULDNT_CONNECT: Failure.CONNECT_FAILED,
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMED_OUT,
    pycurl.E_SSL_CONNECT_ERROR: Failure.TLS_FAILED,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS_FAILED,
    pycurl.E_SSL_CACERT_BADFILE: Failure.TLS_FAILED,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A target as libcurl is told of it."""

    target: Target
    url: str
    protocol: int

    @classmethod
    def of(cls, target: Target) -> "Place":
        protocol = pycurl.PROTO_HTTPS if target.scheme == "https" else pycurl.PROTO_HTTP
        return cls(target, f"{target.scheme}://{target.authority}{target.path}", protocol)


class Transfer:
    """`done` is of the POST under way."""

    def __init__(self, options: Mapping[int, Any]) -> None:
        self.handle = pycurl.Curl()
        self._lines: list[bytes] = []
        for option, value in options.items():
            self.handle.setopt(option, value)
        self.handle.setopt(pycurl.POST, 1)
        self.handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        self.handle.setopt(pycurl.WRITEFUNCTION, self._take)
        self.handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)

    def begin(self, place: Place, headers: Sequence[str], body: bytes, done: Future[Attempt]) -> None:
        self._target, self.done = place.target, done
        self._answer, self._full, self._blocked = b"", False, ""
        self._lines.clear()
        set_option = self.handle.setopt
        set_option(pycurl.PROTOCOLS, place.protocol)
        set_option(pycurl.URL, place.url)
        set_option(pycurl.HTTPHEADER, headers)
        set_option(pycurl.POSTFIELDS, body)

    def end(self, code: int, said: str) -> None:
        """`code` and what libcurl `said` of it; 0 when all went well."""
        if not self.done.done():
            self.done.set_result(self._attempt(code, said))

    def _attempt(self, code: int, said: str) -> Attempt:
        ask = self.handle.getinfo
        latency, address = round(ask(pycurl.TOTAL_TIME) * 1000), ask(pycurl.PRIMARY_IP)
        if self._blocked and code:
            why = f"{self._target.host} has no address that a webhook may go to: {self._blocked}."
            return Attempt(Failure.ADDRESS_BLOCKED, None, latency, "", self._blocked, why)
        if code and not self._full:
            return Attempt(_FAILURES.get(code, Failure.BROKEN_OFF), None, latency, "", address, said)
        status = ask(pycurl.RESPONSE_CODE)
        answer = excerpt(self._answer)
        return Attempt(failure_of(status), status, latency, answer, address, "", self._retry_after())

    def _retry_after(self) -> str:
        """Of the last answer, where there were several."""
        for line in reversed(self._lines):
            if line[: len(_RETRY_AFTER)].lower() == _RETRY_AFTER:
                return line[len(_RETRY_AFTER) :].strip().decode("latin-1")
        return ""

    def _open(self, _purpose: int, place: Any) -> Any:
        """A socket for an address that may be reached; libcurl is told so when it may not."""
        family, kind, protocol, address = place
        peer = ipaddress.ip_address(address[0].decode() if isinstance(address[0], bytes) else address[0])
        if not reachable(self._target, peer):
            self._blocked = str(peer)
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)

    def _take(self, piece: bytes) -> int:
        """libcurl stops reading when less is taken than was given."""
        self._answer += piece[: MAX_ANSWER - len(self._answer)]
        self._full = len(self._answer) >= MAX_ANSWER
        return 0 if self._full else len(piece)
