"""Between a client and an S3 server: answers some requests as a store in trouble would."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "503", "breaks off", "cut short", "slow"]


@dataclass
class Trouble:
    """`fault(method, path)` says what is wrong with this request, if anything; `seen` is what was asked."""

    upstream: str
    fault: Callable[[str, str], Fault] = lambda _method, _path: ""
    seen: list[str] = field(default_factory=list[str])
    slow_s: float = 3.0


@contextmanager
def troubled(endpoint: str) -> Generator[tuple[str, Trouble]]:
    """The endpoint to use instead of `endpoint`, and what is wrong with it."""
    trouble = Trouble(urlsplit(endpoint).netloc)

    class Handler(_Handler):
        found = trouble

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", trouble
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    found: Trouble

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.found.fault(self.command, self.path)
        self.found.seen.append(f"{self.command} {self.path}")
        if fault == "503":
            self._answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>")
            return
        if fault == "slow":
            time.sleep(self.found.slow_s)
        status, headers, answer = self._ask(body)
        if fault == "cut short":
            answer = answer[: len(answer) // 2]
        self._answer(status, headers, answer, breaks_off=fault == "breaks off")

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = HTTPConnection(self.found.upstream, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        read = answer.status, dict(answer.getheaders()), answer.read()
        upstream.close()
        return read

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, breaks_off: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.close_connection = self.close_connection or breaks_off
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if breaks_off else body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
