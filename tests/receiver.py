"""A partner's end of webhooks, for tests: records what arrives and answers as it is told.

`Receiver()` listens on loopback; `receiver.answer` is what the next requests get. With `tls` it speaks https.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Answer:
    """`stall_s` before the status; `drip` repeats the body, a piece each `drip_s`, until nobody listens."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    drip_s: float | None = None


class Receiver:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.names: list[str | None] = []  # what clients asked for by SNI
        self.answer = Answer()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def wait_for(self, wanted: Callable[[Received], bool], seconds: float = 10) -> Received:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for one in list(self.received):
                if wanted(one):
                    return one
            time.sleep(0.02)
        raise AssertionError(f"It did not arrive in {seconds} s; {len(self.received)} others did.")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(tls)
    try:
        yield receiver
    finally:
        receiver.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            answer = receiver.answer
            time.sleep(answer.stall_s)
            try:
                self._say(answer)
            except OSError:
                self.close_connection = True  # the client has left, which is what the test is about

        def _say(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.drip_s is None:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            while answer.drip_s is not None:
                time.sleep(answer.drip_s)
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
