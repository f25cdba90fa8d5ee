"""A platform on loopback. Subclasses answer; the base authenticates, fails as told, and remembers all."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx

TOKEN = "plat_9f1c2b7d4e6a8053"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Trouble:
    """What happens instead of an answer. `written`: the request is carried out first, and nobody is told."""

    reply: Reply | None = None
    written: bool = False
    method: str = ""  # only requests of this method; any when empty
    matches: Callable[["Asked"], bool] = lambda _asked: True

    def hits(self, asked: "Asked") -> bool:
        return self.method in {"", asked.method} and self.matches(asked)


def too_many(**headers: str) -> Trouble:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Trouble(Reply(429, {"message": "Too many requests", "error": "Too many requests"}, named))


def broken(status: int) -> Trouble:
    return Trouble(Reply(status, {"message": "oops", "error": "oops"}))


def lost(method: str) -> Trouble:
    """The write happens, and the connection breaks before the answer."""
    return Trouble(written=True, method=method)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class FakePlatform:
    """`asked` and `given` as httpx has them, for the vendor's description to judge. Its paths begin with
    `base`, as the vendor's do."""

    base = ""
    kind = "application/json"

    def __init__(self) -> None:
        self.token = TOKEN
        self.variables: dict[str, str] = {"OTHER": "untouched"}
        self.deploys = 0
        self.on_live: Callable[[Mapping[str, str], str], None] = lambda _variables, _release: None
        self.fails = 0  # so many deploys will
        self.troubles: list[Trouble] = []
        self.asked: list[httpx.Request] = []
        self.given: list[httpx.Response | None] = []
        self.url = ""

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def push(self, release: str, *, irreversible: bool = False) -> None:
        """Somebody deploys a release of theirs; it is live at once."""
        raise NotImplementedError

    def overtake(self) -> None:
        """Somebody else's deploy, of what serves, takes the place of the one that is on its way."""
        raise NotImplementedError

    def live(self) -> str:
        """The release that serves."""
        raise NotImplementedError

    def read(self, content: bytes) -> Any:
        return json.loads(content) if content else None

    def write(self, body: Any) -> bytes:
        return b"" if body is None else json.dumps(body).encode()

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {self.token}"

    def not_authorized(self) -> Reply:
        return Reply(401, {"message": "Unauthorized"})

    def handle(self, asked: Asked) -> Reply | None:
        """None: no answer at all."""
        trouble = next((one for one in self.troubles if one.hits(asked)), None)
        if trouble is not None:
            self.troubles.remove(trouble)
            if trouble.written:
                self.answer(asked)
            return trouble.reply
        if not self.authorized(asked):
            return self.not_authorized()
        return self.answer(asked)


Platform = TypeVar("Platform", bound=FakePlatform)


@contextmanager
def on_loopback(platform: Platform) -> Iterator[Platform]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(platform))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    platform.url = f"http://127.0.0.1:{server.server_address[1]}{platform.base}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()


def _handler(platform: FakePlatform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def _any(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", "0")))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = parts.path.removeprefix(platform.base)
            body = platform.read(content)
            asked = Asked(self.command, path, dict(parse_qsl(parts.query)), headers, body)
            url = f"http://{headers['host']}{self.path}"
            platform.asked.append(httpx.Request(self.command, url, headers=headers, content=content))
            reply = platform.handle(asked)
            if reply is None:
                platform.given.append(None)
                self.close_connection = True
                return
            data = platform.write(reply.body)
            kind = {"content-type": platform.kind} if data else {}
            platform.given.append(httpx.Response(reply.status, headers=kind, content=data))
            self.send_response(reply.status)
            for name, value in {**kind, **reply.headers, "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
