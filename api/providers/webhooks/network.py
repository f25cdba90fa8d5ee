"""Connections of webhooks: a host is resolved once, each address checked, the socket goes to a checked one.

What was checked is what is connected to, so a name that changes its mind in between (DNS rebinding) gains
nothing; TLS and the Host header keep the name.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import cast

import httpcore

from api.core.webhooks.targets import Address, Target, reachable

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
_TRIES = 3
_CONNECT_S = 5.0


class AddressBlocked(Exception):
    """None of the host's addresses may be reached."""


class NotResolved(Exception):
    """The host has no address."""


async def system_resolve(host: str, port: int) -> Sequence[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(place[0]) for *_, place in found]


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """For the connections of one attempt; `address` says where it went."""

    def __init__(self, target: Target, resolve: Resolve) -> None:
        self._target = target
        self._resolve = resolve
        self._tcp = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())  # typed as if absent
        self.address = ""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `NotResolved`, `AddressBlocked`, or what the last of the addresses tried raises."""
        addresses = await self._checked(host, port)
        for address in addresses[:-1]:
            try:
                return await self._connect(address, port, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._connect(addresses[-1], port, socket_options)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise NotResolved(f"{host} has no address.")
        allowed = [str(address) for address in addresses if reachable(self._target, address)]
        if not allowed:
            raise AddressBlocked(f"{host} has no address that a webhook may go to.")
        return list(dict.fromkeys(allowed))[:_TRIES]

    async def _connect(
        self, address: str, port: int, socket_options: Iterable[httpcore.SOCKET_OPTION] | None
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._tcp.connect_tcp(address, port, _CONNECT_S, socket_options=socket_options)
        self.address = address
        return stream

    async def sleep(self, seconds: float) -> None:
        await self._tcp.sleep(seconds)
