"""The POST of a webhook over HTTP/1.1: one deadline, capped answer, no redirects, no proxy, no cookies."""

import asyncio
import ssl
from collections.abc import Mapping
from time import monotonic

import httpcore
import httpx

from api.core.webhooks import targets
from api.core.webhooks.attempts import Attempt, Failure, excerpt, failure_of
from api.core.webhooks.targets import Target
from api.providers.webhooks.network import (
    AddressBlocked,
    NotResolved,
    PinnedNetwork,
    Resolve,
    system_resolve,
)

DEADLINE_S = 15.0
MAX_ANSWER = 64 * 1024
_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (AddressBlocked, Failure.ADDRESS_BLOCKED),
    (NotResolved, Failure.DNS_FAILED),
    (TimeoutError, Failure.TIMED_OUT),
    (httpcore.TimeoutException, Failure.TIMED_OUT),
    (httpcore.ConnectError, Failure.CONNECT_FAILED),
    (httpcore.NetworkError, Failure.BROKEN_OFF),
    (httpcore.ProtocolError, Failure.BROKEN_OFF),
)


class HttpSender:
    """`resolve` and `tls` are for tests: names of their own, an authority of their own."""

    def __init__(
        self,
        *,
        loopback_allowed: bool = False,
        deadline_s: float = DEADLINE_S,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loopback_allowed = loopback_allowed
        self._deadline_s = deadline_s
        self._resolve = resolve
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        target = targets.parse(url, self._loopback_allowed)
        network = PinnedNetwork(target, self._resolve)
        started = monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                status, answer = await self._exchange(target, network, headers, body)
        except tuple(kind for kind, _ in _FAILURES) as error:
            return Attempt(
                _failure(error),
                None,
                _since(started),
                "",
                network.address,
                str(error) or "No answer in time.",
            )
        return Attempt(failure_of(status), status, _since(started), excerpt(answer), network.address)

    async def _exchange(
        self, target: Target, network: PinnedNetwork, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status, and the answer's body as far as `MAX_ANSWER`."""
        sent = {
            **headers,
            "Host": target.authority,
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "FirstUser-Webhooks/1",
        }
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._trust(target), network_backend=network) as pool,
            pool.stream("POST", url, headers=list(sent.items()), content=body) as answer,
        ):
            received = b""
            async for piece in answer.aiter_stream():
                received += piece
                if len(received) >= MAX_ANSWER:
                    break
        return answer.status, received[:MAX_ANSWER]

    def _trust(self, target: Target) -> ssl.SSLContext | None:
        if self._tls is None and target.scheme == "https":
            self._tls = httpx.create_ssl_context()
        return self._tls


def _failure(error: Exception) -> Failure:
    if isinstance(error.__cause__, ssl.SSLError) or isinstance(error.__context__, ssl.SSLError):
        return Failure.TLS_FAILED
    return next(failure for kind, failure in _FAILURES if isinstance(error, kind))


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)
