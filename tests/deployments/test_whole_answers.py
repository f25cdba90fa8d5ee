"""Answers in one piece, over real sockets: whatever a client does with its connection, HTTP stays HTTP."""

import json
import re
import socket
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from api.settings import Settings
from deployments.local.seed import partner_keys_file
from tests.product import seeded
from tests.serving import Served, serving

__all__ = ["seeded"]

BODY = b'{"users":[{"external_user_id":"nobody"}]}'
HEALTHZ = b"GET /api/healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def served(seeded: Settings) -> Iterator[Served]:
    with serving(seeded) as found:
        deadline = monotonic() + 5
        while not found.services.keys.hearing:
            assert monotonic() < deadline
            sleep(0.01)
        yield found


@pytest.fixture(scope="module")
def beat(served: Served, seeded: Settings) -> bytes:
    """A heartbeat that takes the fast lane."""
    key = next(iter(json.loads(partner_keys_file(seeded).read_text()).values()))
    head = f"POST /api/integration/v1/heartbeat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
    request = f"{head}content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode() + BODY
    assert exchanged(served, request)[0][0] == 200
    return request


def exchanged(served: Served, *pieces: bytes, answers: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """(status, headers, body) of each answer."""
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for piece in pieces:
            connection.sendall(piece)
            sleep(0.05)
        received, found = b"", list[tuple[int, dict[str, str], bytes]]()
        while len(found) < answers:
            data = connection.recv(65536)
            assert data, received
            received += data
            while (one := _answer(received)) is not None:
                found.append(one[0])
                received = one[1]
    return found


def _answer(received: bytes) -> tuple[tuple[int, dict[str, str], bytes], bytes] | None:
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    size = int(headers.get("content-length", "0"))
    if len(rest) < size:
        return None
    return (int(status.split()[1]), headers, rest[:size]), rest[size:]


def test_both_ways_say_the_same(served: Served, beat: bytes) -> None:
    """A connection that is to be closed is answered the usual way."""
    for request in (HEALTHZ, beat):
        kept = exchanged(served, request)[0]
        closed = exchanged(served, request.replace(b"host: x\r\n", b"host: x\r\nconnection: close\r\n"))[0]
        for headers in (kept[1], closed[1]):
            assert re.fullmatch(r"req_[0-9a-z]{20}", headers.pop("request-id"))
            headers.pop("ratelimit", None)
            headers.pop("date")
        assert closed[1].pop("connection") == "close"
        assert kept == closed
        assert kept[0] == 200 and "default-src 'none'" in kept[1]["content-security-policy"]


def test_many_requests_on_one_connection(served: Served, beat: bytes) -> None:
    found = exchanged(served, *[HEALTHZ, beat] * 3, answers=6)
    assert [status for status, _, _ in found] == [200] * 6
    assert len({headers["request-id"] for _, headers, _ in found}) == 6


def test_requests_that_do_not_wait_for_answers(served: Served, beat: bytes) -> None:
    found = exchanged(served, (beat + HEALTHZ) * 3, answers=6)
    assert [body.startswith(b'{"accepted"') for _, _, body in found] == [True, False] * 3


def test_requests_in_small_pieces(served: Served, beat: bytes) -> None:
    for request in (HEALTHZ, beat):
        third = len(request) // 3
        (found,) = exchanged(served, request[:third], request[third:-5], request[-5:])
        assert found[0] == 200


def test_a_client_that_wants_to_be_told_to_go_on(served: Served, beat: bytes) -> None:
    head, _, body = beat.partition(b"\r\n\r\n")
    waiting = head + b"\r\nexpect: 100-continue\r\n\r\n"
    assert [status for status, _, _ in exchanged(served, waiting, body, answers=2)] == [100, 200]


def test_an_old_client(served: Served) -> None:
    (found,) = exchanged(served, HEALTHZ.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert found[0] == 200


def test_clients_that_leave_early_harm_nobody(served: Served, beat: bytes) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(beat)
    assert exchanged(served, beat)[0][0] == 200
