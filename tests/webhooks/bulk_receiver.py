"""A receiver that keeps up with a dispatcher: answers by path, remembers every webhook-id in its order.

/ok 200 · /slow/MS 200 after a while · /hang never · /status/N that status · /flaky/N every Nth is a 500
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread


@dataclass
class BulkReceiver:
    port: int = 0
    ids: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # (path, webhook-id)
    stamps: list[int] = field(default_factory=list[int])  # webhook-timestamp
    answered: Counter[str] = field(default_factory=Counter[str])  # webhook-id → 2xx answers
    flying: Counter[str] = field(default_factory=Counter[str])
    most_flying: Counter[str] = field(default_factory=Counter[str])

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[str]:
        return [one for at, one in list(self.ids) if at == path]


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: BulkReceiver) -> None:
        self._receiver = receiver
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while True:
            head, found, rest = self._seen.partition(b"\r\n\r\n")
            if not found:
                return
            lines = head.split(b"\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
            length = int(headers.get(b"content-length", b"0"))
            if len(rest) < length:
                return
            self._seen = rest[length:]
            self._receiver.stamps.append(int(headers[b"webhook-timestamp"]))
            self._answer(lines[0].split(b" ")[1].decode(), headers[b"webhook-id"].decode())

    def _answer(self, path: str, message: str) -> None:
        receiver = self._receiver
        receiver.ids.append((path, message))
        receiver.flying[path] += 1
        receiver.most_flying[path] = max(receiver.most_flying[path], receiver.flying[path])
        kind, _, value = path.strip("/").partition("/")
        if kind == "hang":
            return
        status = int(value) if kind == "status" else 200
        if kind == "flaky" and len(receiver.ids) % int(value) == 0:
            status = 500
        delay = int(value) / 1000 if kind == "slow" else 0
        if delay:
            asyncio.get_running_loop().call_later(delay, self._say, path, message, status)
        else:
            self._say(path, message, status)

    def _say(self, path: str, message: str, status: int) -> None:
        self._receiver.flying[path] -= 1
        if status < 300:
            self._receiver.answered[message] += 1
        if not self._transport.is_closing():
            self._transport.write(f"HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok".encode())


@contextmanager
def bulk_receiving() -> Iterator[BulkReceiver]:
    receiver, ready = BulkReceiver(), Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await loop.create_server(lambda: _Connection(receiver), "127.0.0.1", 0, backlog=1024)
        receiver.port = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    yield receiver
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
