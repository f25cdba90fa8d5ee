"""The partners' side, a process of its own: `/ok/…` answers 200 at once, `/hang/…` never; `/well/…` and
`/shaky/…` remember each webhook-id, and shaky ones refuse one in ten the first time. `/count` says how many
were accepted, `/different` how many different ones of those remembered.
`python -m deployments.bench.webhooks.receiver` prints its port.

It reads no more of a request than it must, so that it is not what is measured.
"""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, cast

import httpx
import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_REFUSAL = b"HTTP/1.1 500 Not now\r\ncontent-length: 2\r\n\r\nno"
_LENGTH = b"\r\nContent-Length: "


@dataclass(frozen=True, slots=True)
class Receiver:
    port: int
    pid: int

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self) -> int:
        return int(httpx.get(self.url("/count")).text)

    def different(self) -> int:
        return int(httpx.get(self.url("/different")).text)


@contextmanager
def receiving() -> Generator[Receiver]:
    """A process of its own until the block ends."""
    command = [sys.executable, "-m", "deployments.bench.webhooks.receiver"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Receiver(int(process.stdout.readline() if process.stdout else 0), process.pid)
        finally:
            process.terminate()


class _Partner(asyncio.Protocol):
    answered = 0
    accepted: ClassVar[set[bytes]] = set()
    refused: ClassVar[set[bytes]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.Transport", transport).write  # uvloop's is none by inheritance
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        data = self._seen + data if self._seen else data
        while (end := _end(data)) is not None:
            self._answer(data)
            data = data[end:]
        self._seen = data

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"POST /ok"):
            _Partner.answered += 1
            self._write(_ANSWER)
        elif request.startswith((b"POST /well", b"POST /shaky")):
            self._remember(request)
        elif request.startswith(b"GET /count"):
            self._say(_Partner.answered)
        elif request.startswith(b"GET /different"):
            self._say(len(_Partner.accepted))

    def _remember(self, request: bytes) -> None:
        """A message goes to one endpoint only, so its id is enough."""
        message = _header(request, b"\r\nwebhook-id: ")
        if request.startswith(b"POST /shaky") and hash(message) % 10 == 0 and message not in _Partner.refused:
            _Partner.refused.add(message)
            self._write(_REFUSAL)
        else:
            _Partner.answered += 1
            _Partner.accepted.add(message)
            self._write(_ANSWER)

    def _say(self, number: int) -> None:
        said = str(number).encode()
        self._write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))


def _header(request: bytes, name: bytes) -> bytes:
    at = request.index(name) + len(name)
    return request[at : request.index(b"\r", at)]


def _end(data: bytes) -> int | None:
    """Where the first request ends, None while it is not all there."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    at = data.find(_LENGTH, 0, head)
    length = int(data[at + len(_LENGTH) : data.index(b"\r", at + len(_LENGTH))]) if at >= 0 else 0
    end = head + 4 + length
    return end if len(data) >= end else None


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Partner, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
