"""The load generator against a server that counts: every code once, every refusal and every loss reported."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.core.errors import Refused
from deployments.bench.service import load
from deployments.bench.service.load import Kind, Load

pytestmark = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="no wrk on PATH (Debian: apt-get install wrk)"
)


@dataclass
class Counting(asyncio.Protocol):
    """Answers each request with what `status` says of its number; 0 hangs up."""

    status: Callable[[int], int]
    keys: list[str] = field(default_factory=list[str])
    bodies: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with_body = b"content-length: "
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.partition(with_body)[2].partition(b"\r")[0] or b"0")
                body = json.loads(await reader.readexactly(size))
                self.keys.append(head.decode().partition("Bearer ")[2].partition("\r")[0])
                self.bodies.append(body)
                status = self.status(len(self.bodies))
                if not status:
                    break
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 2\r\n\r\n{}" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@contextmanager
def serving(counting: Counting) -> Generator[int]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(counting.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def asked(kind: Kind, port: int, first: int = 1) -> Load:
    return Load(kind, port, 1, 8, ["key-0", "key-1", "key-2"], 50, "code-x-", first)


def test_codes_are_sent_once_each_from_the_first_one_on() -> None:
    counting = Counting(lambda _: 200)
    with serving(counting) as port:
        result = load.run(asked("exchange", port, first=41))
    numbers = [int(body["code"].removeprefix("code-x-")) for body in counting.bodies]
    assert len(set(numbers)) == len(numbers) and min(numbers) >= 41
    assert max(numbers) < result.next_number
    assert (result.refused, result.lost) == (0, 0) and 0 < result.requests <= len(numbers)
    assert 0 < result.p50 <= result.p99 < result.seconds < 5


def test_heartbeats_are_of_people_with_their_own_key() -> None:
    counting = Counting(lambda _: 200)
    with serving(counting) as port:
        load.run(asked("heartbeat", port))
    users = [int(body["users"][0]["external_user_id"][1:]) for body in counting.bodies]
    assert set(users) <= set(range(1, 51)) and len(set(users)) > 25
    assert counting.keys == [f"key-{user % 3}" for user in users]


def test_refusals_and_lost_answers_are_counted() -> None:
    counting = Counting(lambda number: 503 if number % 10 == 0 else 200)
    with serving(counting) as port:
        assert load.run(asked("heartbeat", port)).refused > 0
    counting = Counting(lambda number: 0 if number % 10 == 0 else 200)
    with serving(counting) as port:
        assert load.run(asked("heartbeat", port)).lost > 0


def test_without_wrk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="apt-get install wrk"):
        load.program()
