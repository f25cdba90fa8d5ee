"""The load generator: `connections` keep-alive connections, each with one request under way at a time.

    python -m deployments.bench.service.load '{"kind": "heartbeat", "port": 8000, …}'

Prints one JSON object (`Result`). Requests are made of bytes and answers looked at only as far as needed, so
that it costs less than any of the servers.
"""

import asyncio
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Literal, cast

import uvloop

Kind = Literal["healthz", "heartbeat", "exchange", "users_live", "me"]
_PREPARED = 5_000
_PREFIX = "/api/integration/v1"


@dataclass(frozen=True, slots=True)
class Load:
    """`people`, `codes` and the order of `api_keys` as in `Ground`."""

    kind: Kind
    port: int
    seconds: float
    warm_up_seconds: float
    connections: int
    api_keys: Sequence[str]
    people: int
    codes: int


@dataclass(frozen=True, slots=True)
class Result:
    """`refused` counts answers other than 200; `all_requests` those of the warm-up, too. Times in seconds."""

    requests: int
    all_requests: int
    refused: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class _Client(asyncio.Protocol):
    """One connection: sends the next request as soon as the last one was answered."""

    def __init__(self, requests: Iterator[bytes], tally: "_Tally") -> None:
        self._requests, self._tally = requests, tally
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _length(received[:end]):
            self._received = received
            return
        self._received = b""
        self._tally.add(perf_counter() - self._sent_at, received.startswith(b"HTTP/1.1 200"))
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += 1

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is not None and self._transport is not None:
            self._sent_at = perf_counter()
            self._transport.write(request)


class _Tally:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.refused = 0
        self.lost = 0

    def add(self, seconds: float, good: bool) -> None:
        self.times.append(seconds)
        self.refused += not good


def _length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    return int(head[place + 15 :].split(b"\r", 1)[0]) if place >= 0 else 0


def requests(load: Load) -> Iterator[bytes]:
    """Without end, but for codes."""
    if load.kind == "exchange":
        yield from (_exchange(load, number) for number in range(1, load.codes + 1))
        return
    rng = random.Random(7)  # noqa: S311
    make = {"heartbeat": _heartbeat, "users_live": _list, "me": _me}.get(load.kind, _healthz)
    prepared = [make(load, rng.randrange(1, load.people + 1)) for _ in range(_PREPARED)]
    while True:
        yield from prepared


def _post(path: str, key: str, body: bytes) -> bytes:
    head = (
        f"POST {_PREFIX}{path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _heartbeat(load: Load, number: int) -> bytes:
    key = load.api_keys[number % len(load.api_keys)]
    return _post("/heartbeat", key, b'{"users":[{"external_user_id":"u%d"}]}' % number)


def _exchange(load: Load, number: int) -> bytes:
    key = load.api_keys[number % len(load.api_keys)]
    body = b'{"code":"code-%d","return_url":"https://partner.example/back"}' % number
    return _post("/access/exchange", key, body)


def _get(path: str, key: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\r\n".encode()


def _list(load: Load, number: int) -> bytes:
    return _get(f"{_PREFIX}/users/live?limit=20", load.api_keys[number % len(load.api_keys)])


def _me(load: Load, number: int) -> bytes:
    return _get(f"{_PREFIX}/me", load.api_keys[number % len(load.api_keys)])


def _healthz(_load: Load, _number: int) -> bytes:
    return b"GET /api/healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


async def run(load: Load) -> Result:
    loop, tally, source = asyncio.get_running_loop(), _Tally(), requests(load)
    clients = [
        await loop.create_connection(lambda: _Client(source, tally), "127.0.0.1", load.port)
        for _ in range(load.connections)
    ]
    await asyncio.sleep(load.warm_up_seconds)
    await _answered(tally)
    warmed_up, tally.times, tally.refused = len(tally.times), [], 0
    started = perf_counter()
    await asyncio.sleep(load.seconds)
    await _answered(tally)
    times, seconds = sorted(tally.times), perf_counter() - started
    lost, ended = tally.lost, next(source, None) is None
    for transport, _ in clients:
        transport.abort()
    if lost:
        raise ConnectionError(f"{lost} of {load.connections} connections were lost")
    if ended:
        raise ValueError(f"{load.codes} codes are not enough for {load.seconds} seconds")
    return Result(
        requests=len(times),
        all_requests=warmed_up + len(times),
        refused=tally.refused,
        seconds=seconds,
        p50=times[len(times) // 2],
        p99=times[len(times) * 99 // 100],
    )


async def _answered(tally: _Tally) -> None:
    """At least once: on a machine that has much else to do, a short run may see nothing."""
    for _ in range(1_000):
        if tally.times:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("no answer")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(run(Load(**json.loads(sys.argv[1])))))) + "\n")
