"""The POSTs of the dispatcher: libcurl on the running loop, connections kept alive.

The guard sits where the socket is opened: libcurl names the very address that it is about to connect to, and
a socket for one that is not allowed is never made, whatever a name resolved to before. One deadline over
names, connecting, TLS, headers and body; the answer is read up to a cap and never decompressed; no redirects,
no proxy, no cookies.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache

import certifi
import pycurl

from api.core.webhooks import targets
from api.core.webhooks.attempts import Attempt
from api.providers.webhooks.multi import Multi
from api.providers.webhooks.transfer import MAX_ANSWER, Place, Transfer

DEADLINE_S = 15.0
_CONNECT_S = 5
_OURS = ("Content-Type: application/json", "User-Agent: FirstUser-Webhooks/1", "Expect: ")


@lru_cache(maxsize=4096)
def _place(url: str, loopback_allowed: bool) -> Place:
    return Place.of(targets.parse(url, loopback_allowed))


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
        self._options: dict[int, object] = {
            pycurl.PATH_AS_IS: 1,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.PROXY: "",
            pycurl.NOSIGNAL: 1,
            pycurl.TIMEOUT_MS: round(deadline_s * 1000),
            pycurl.CONNECTTIMEOUT: _CONNECT_S,
            pycurl.CAINFO: ca_file or certifi.where(),
        }
        if resolve:
            self._options[pycurl.RESOLVE] = [f"{place}:{address}" for place, address in resolve.items()]
        self._multi: Multi | None = None
        self._idle: list[Transfer] = []
        self._running: dict[pycurl.Curl, Transfer] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        place, loop = _place(url, self._loopback_allowed), asyncio.get_running_loop()
        if self._multi is None:
            self._multi = Multi(loop, self._ended)
        transfer = self._idle.pop() if self._idle else Transfer(self._options)
        done: asyncio.Future[Attempt] = loop.create_future()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        transfer.begin(place, [*lines, *_OURS], body, done)
        self._running[transfer.handle] = transfer
        self._multi.add(transfer.handle)
        return await done

    def close(self) -> None:
        for transfer in [*self._running.values(), *self._idle]:
            transfer.handle.close()
        if self._multi:
            self._multi.close()

    def _ended(self, handle: pycurl.Curl, code: int, message: str) -> None:
        transfer = self._running.pop(handle)
        transfer.end(code, message)
        self._idle.append(transfer)


__all__ = ["MAX_ANSWER", "CurlSender"]
