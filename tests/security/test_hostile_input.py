"""Whatever stands in a path, a query, a header, a form or a JSON body, with whatever method: every route
answers, never with a 5xx, in the documented shape, and without telling what went on inside.

Over real HTTP, as whoever the route is for: so the values reach what works with them.
"""

import json
import os
import random
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError

from api.http.problems import CODES, MEDIA_TYPE, ProblemBody
from api.http.routers import ROUTERS
from tests.product import DATA_KEY, SESSION_SECRET, WIDGET_SECRET
from tests.security.conftest import Ground
from tests.security.decisions import DECISIONS, Decision
from tests.security.test_authorisation import ELSEWHERE, let_in, template
from tests.security.world import METRICS_TOKEN

MARKUP = "'\"><script>"
TEXTS = (
    *("\x00", "a\x00b", "\ud800", "é\u202egnp", "\ufeff", "💥" * 90, "ﬁ\u0345\u0130", "a\u0308" * 100),
    *("", " ", ".", "..", "../../etc/passwd", "%2e%2e%2f", MARKUP, "%s{0}${jndi:x}", "\r\nX: y"),
    *(
        "-1",
        "9" * 40,
        "9" * 5000,
        "1e999",
        "NaN",
        "0x10",
        "1_000",
        "٣",
        "true",
        "null",
        "[]",
        "x" * 6000,
        "http://[",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "+99999-01-01", "W10", "W1tb" * 900),
)
VALUES: tuple[Any, ...] = (
    *(*TEXTS, None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, [], {}, [None], {"\ud800": 1}, [[[[[[]]]]]]),
)
DEEP = 20_000
EVERY = os.environ.get("HOSTILE_REQUESTS") == "all"
BODIES = (
    *(b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe{}", b"\x00", b"=&=%ff%00&%", b"1e999", b"-" * 300),
    *(b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * (DEEP // 5), b'{"a":' + b"9" * 5000 + b"}"),
    *(
        b'{"code":"\\ud800"}',
        b'{"a":1,"a":2}',
        b"--x\r\n\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n",
    ),
)
KINDS = (
    *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *("application/json; charset=utf-16", "multipart/form-data", "text/plain", "", ";", "x/\xff"),
)
HEADERS = (
    *("Authorization", "Cookie", "Idempotency-Key", "Origin", "Widget-Origin", "Last-Event-ID", "Accept"),
    *("Referer", "HX-Current-URL", "X-Forwarded-Proto", "Host", "Traceparent", "Sec-Fetch-Site", "Range"),
)
NO_ADDRESS = b"https://[::1"
ODD_HEADERS = (
    *(b"\xff\xfe", b"", b"Bearer", b"Bearer \xff", b"Bearer fu_live_x_y", b"Basic Og==", b"=;=", b"null"),
    *(b"k" * 6000, b"__Host-session=x.y; session=\xff", NO_ADDRESS, b"http://\xe9.example:99999"),
)
METHODS = ("PUT", "TRACE", "PROPFIND", "HEAD", "OPTIONS", "PATCH", "DELETE", "POST", "GET", "X")
PER_PLACE = 4
PER_ROUTE = 6
"""So many requests a route gets, drawn by a seed of its own; with HOSTILE_REQUESTS=all each that is made."""
TOLD = re.compile(rb'Traceback|File "/|\.py", line|psycopg|sqlalchemy|pydantic_core|postgresql://|unhandled')
NO_HTTP = b"Invalid HTTP request received."
"""What the server says, before the application is asked, to what is no HTTP."""
SECRETS = [one.encode() for one in (SESSION_SECRET, WIDGET_SECRET, DATA_KEY, METRICS_TOKEN)]
ENDS = DECISIONS.index(next(one for one in DECISIONS if one.method == "DELETE" and "grants" in one.path))
"""From here on, calls as they are meant would end what the others need: these get nothing but strange ids."""


@dataclass(frozen=True, slots=True)
class Sent:
    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    role: str

    def __str__(self) -> str:
        return f"{self.method} {self.url[:160]} {self.headers[-1]!r:.80} {self.body!r:.80} as {self.role}"


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def queries() -> Mapping[str, list[str]]:
    """By a route's name, those it reads."""
    return {
        f"{method} {route.path}": [one.alias for one in route.dependant.query_params]
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def requests(ground: Ground, decision: Decision, asked: list[str], draw: random.Random) -> Iterator[Sent]:
    role = next(iter(let_in(decision)), "anonymous")
    good, more = ground.body(decision, role)
    headers = {"Accept": "text/html", **ground.headers(role), **more}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    given = ground.world.given
    ends = DECISIONS.index(decision) >= ENDS

    def sent(
        path: str = decision.path,
        method: str = decision.method,
        body: bytes | None = good,
        headers: list[tuple[bytes, bytes]] = raw,
        **strange: str,
    ) -> Sent:
        for name, value in {**given, **strange}.items():
            path = path.replace(f"{{{name}}}", value)
        return Sent(method, path, headers, body, role)

    for name in re.findall(r"{(\w+)}", decision.path):
        for text in draw.sample(TEXTS, PER_PLACE):
            yield sent(**{name: escaped(text)})
    if ends or decision.stream:
        return
    begun = "&" if "?" in decision.path else "?"
    for name in asked:
        for text in draw.sample(TEXTS, PER_PLACE):
            yield sent(f"{decision.path}{begun}{name}={escaped(text)}")
    yield sent(f"{decision.path}{begun}{'&'.join('a=%ff' for _ in range(1500))}")
    yield sent(f"{decision.path}/{'x' * 3000}", body=None)
    for method in draw.sample(METHODS, 2):
        if method not in (decision.method, "DELETE"):
            yield sent(method=method, body=None if method in ("GET", "HEAD", "TRACE") else good)
    for name, value in zip(draw.sample(HEADERS, 6), draw.sample(ODD_HEADERS, 6), strict=True):
        others = [one for one in raw if one[0] != name.encode()]
        yield sent(headers=[*others, (name.encode(), value)])
    for strange in (NO_ADDRESS, draw.choice(ODD_HEADERS)):
        signed_out = [one for one in raw if one[0] in (b"Accept", b"Origin", b"Content-Type")]
        yield sent(headers=[*signed_out, (b"Referer", strange)])
        yield sent(headers=[*signed_out, (b"HX-Request", b"true"), (b"HX-Current-URL", strange)])
    if decision.method != "GET":
        yield from (sent(body=body, headers=kept) for body, kept in bodies(decision, raw, good, draw))


def bodies(
    decision: Decision, raw: list[tuple[bytes, bytes]], good: bytes | None, draw: random.Random
) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    plain = [one for one in raw if one[0] != b"Content-Type"]
    kind = b"application/x-www-form-urlencoded" if decision.form else b"application/json"
    for body in draw.sample(BODIES, PER_PLACE):
        yield body, [*plain, (b"Content-Type", kind)]
    for other in draw.sample(KINDS, 2):
        yield draw.choice((good or b"{}", *BODIES)), [*plain, (b"Content-Type", other.encode("latin-1"))]
    for name in decision.body or ():
        for value in draw.sample(TEXTS if decision.form else VALUES, PER_PLACE):
            fields = {**(decision.body or {}), name: value}
            body = (
                urlencode(fields, errors="surrogatepass").encode()
                if decision.form
                else json.dumps(fields).encode()
            )
            yield body, [*plain, (b"Content-Type", kind)]


def test_no_route_breaks_or_tells_too_much(ground: Ground) -> None:
    reads, wrong, cells = queries(), list[str](), 0
    for decision in DECISIONS:
        draw = random.Random(decision.name)  # noqa: S311  the same at every run
        found = list(requests(ground, decision, reads.get(template(decision), []), draw))
        for sent in found if EVERY else draw.sample(found, min(PER_ROUTE, len(found))):
            cells += 1
            try:
                complaint = _complaint(sent, answered(ground, sent, cells))
            except httpx.TransportError as error:
                complaint = f"{error!r}"
            if complaint:
                wrong.append(f"{sent}: {complaint}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    assert '"event":"unhandled"' not in ground.log.getvalue()
    print(f"{cells} requests to {len(DECISIONS)} routes")
    assert cells > 700


def answered(ground: Ground, sent: Sent, number: int) -> httpx.Response:
    """Each from an address of its own: limits by address are tested elsewhere."""
    ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}".encode()
    headers = [*sent.headers, (b"X-Forwarded-For", ip)]
    request = ground.client.build_request(sent.method, sent.url, headers=headers, content=sent.body)
    answer = ground.client.send(request, stream=True)
    try:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return httpx.Response(answer.status_code, headers=answer.headers)
        answer.read()
    finally:
        answer.close()
    return answer


def _complaint(sent: Sent, answer: httpx.Response) -> str:
    """ "" for an answer as promised."""
    status, body, kind = answer.status_code, answer.content, answer.headers.get("content-type", "")
    if status >= 500:
        absent = status in (502, 503) and f"{sent.method} {urlsplit(sent.url).path}" in ELSEWHERE
        return "" if absent else f"{status} {body[:200]!r}"
    if found := TOLD.search(body):
        return f"{status} tells {found[0]!r}"
    if any(secret in body for secret in SECRETS):
        return f"{status} tells a secret"
    if kind.startswith("text/html"):
        return f"{status} with the caller's markup" if MARKUP.encode() in body else ""
    if status < 400 or answer.request.method == "HEAD" or body == NO_HTTP:
        return ""
    if kind != MEDIA_TYPE:
        return f"{status} as {kind}: {body[:200]!r}"
    try:
        problem = ProblemBody.model_validate_json(body)
    except ValidationError:
        return f"{status} {body[:200]!r}"
    if problem.status != status or problem.request_id != answer.headers.get("request-id"):
        return f"{status} {body[:200]!r}"
    known = problem.code in CODES and CODES[problem.code].status == status
    return "" if known else f"{status} {problem.code} is no documented code"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, content=b"{}"),
        httpx.Response(404, text="nothing"),
        httpx.Response(200, text=f"the key is {DATA_KEY}"),
        httpx.Response(422, html="Traceback (most recent call last)"),
        httpx.Response(404, html=f"<p>{MARKUP}</p>"),
        httpx.Response(404, json={"detail": "Not Found"}, headers={"Content-Type": MEDIA_TYPE}),
    ],
)
def test_what_breaks_the_promise_is_noticed(answer: httpx.Response) -> None:
    answer.request = httpx.Request("GET", "http://127.0.0.1/api/none")
    assert _complaint(Sent("GET", "/api/none", [], None, "anonymous"), answer)


HEARTBEAT = b"POST /api/integration/v1/heartbeat HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01" * 40,
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/app HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /w/%zz%0d%0aX:y HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /app?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /app HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /api/healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        HEARTBEAT + b"Content-Length: -1\r\n\r\n{}",
        HEARTBEAT + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        HEARTBEAT
        + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /app HTTP/1.1\r\n\r\n",
        HEARTBEAT + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}",
        HEARTBEAT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" * 3,
        HEARTBEAT + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"GET /api/healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
    ],
    ids=lambda sent: f"{len(sent)}-{sent[:16]!r}",
)
def test_bytes_that_are_hardly_http_hurt_nobody(ground: Ground, sent: bytes) -> None:
    """They are answered below 500 or not at all, and the next one is served."""
    address = urlsplit(ground.served.url)
    before = len(ground.log.getvalue())
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=5) as connection:
        with suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        said = b"".join(_read(connection))
    assert not re.search(rb"HTTP/1\.1 5\d\d", said), said[:300]
    assert not TOLD.search(said)
    assert '"event":"unhandled"' not in ground.log.getvalue()[before:]
    assert ground.client.get("/api/healthz").status_code == 200


def _read(connection: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while piece := connection.recv(65536):
            yield piece
