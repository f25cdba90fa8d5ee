"""The partner's own server while a smoke test runs: a page, a place to come back to, a webhook endpoint.

On loopback. Where production runs elsewhere, `public_url` is how it reaches the webhook endpoint.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread

from api.core.errors import TimedOut, Unavailable

PAGE = b"""<!doctype html><title>Partner</title><div id="place"></div><script>
window.heard = [];
addEventListener("message", (event) => heard.push({ origin: event.origin, data: event.data }));
</script>"""
BACK, HOOKS = "/back", "/hooks"
_MAX_BODY = 256 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Receiver:
    """`origin` as browsers write it; `webhook_url` None where production cannot reach this machine."""

    origin: str
    webhook_url: str | None
    _arrived: list[Arrived] = field(default_factory=list[Arrived])
    _changed: Condition = field(default_factory=Condition)

    @property
    def return_url(self) -> str:
        return f"{self.origin}{BACK}"

    def take(self, one: Arrived) -> None:
        with self._changed:
            self._arrived.append(one)
            self._changed.notify_all()

    def await_webhook(self, wanted: Callable[[Arrived], bool], timeout_s: float) -> Arrived:
        """Raises `TimedOut`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found = next((one for one in self._arrived if wanted(one)), None)
                left = deadline - time.monotonic()
                if found is not None:
                    return found
                if left <= 0:
                    raise TimedOut(
                        f"No such webhook arrived in {timeout_s:.0f} s ({len(self._arrived)} others did).",
                        provider="product",
                        operation="webhook",
                    )
                self._changed.wait(left)


@contextmanager
def receiving(public_url: str = "", port: int = 0, *, local: bool) -> Generator[Receiver]:
    """`local`: production is on this machine and reaches loopback. Raises `Unavailable` for a taken port."""
    made: list[Receiver] = []
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(made))
    except OSError as error:
        raise Unavailable(
            f"The receiver cannot listen on port {port} ({type(error).__name__}).",
            provider="product",
            operation="webhook",
            fix="Free FIRSTUSER_SMOKE_RECEIVER_PORT.",
        ) from None
    server.daemon_threads = True
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    webhook_url = f"{origin}{HOOKS}" if local else f"{public_url.rstrip('/')}{HOOKS}" if public_url else None
    made.append(Receiver(origin, webhook_url))
    Thread(target=server.serve_forever, args=(0.05,), name="smoke receiver", daemon=True).start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        server.server_close()


def _handler(made: list[Receiver]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(200, PAGE, "text/html; charset=utf-8")

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            if self.path != HOOKS or length > _MAX_BODY:
                self.close_connection = True
                self._say(404, b"", "text/plain")
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            made[0].take(Arrived(headers, self.rfile.read(length)))
            self._say(200, b"ok", "text/plain")

        def _say(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Addresses hold codes: they are not logged."""

    return Handler
