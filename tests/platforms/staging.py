"""The service that a fake platform runs: it says in readyz what it was deployed with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

OTHERS = {"OTHER": "untouched", "DATABASE_URL": "postgresql://own"}


class Service:
    def __init__(self) -> None:
        self.variables: Mapping[str, str] = {}
        self.release = ""
        self.status = 200
        self.starts = 0
        self.url = ""

    def start(self, variables: Mapping[str, str], release: str) -> None:
        self.variables, self.release = dict(variables), release
        self.starts += 1

    def answer(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.status == 200 else "failing",
            "checks": {"database": {"status": "ok" if self.status == 200 else "error"}},
            "deploy_id": self.variables.get("FIRSTUSER_DEPLOY_ID") or "dev",
            "release": self.release,
            "restored_copy": self.variables.get("FIRSTUSER_RESTORED_COPY") or None,
        }


@contextmanager
def answering(service: Service) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(service.answer()).encode()
            self.send_response(service.status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
