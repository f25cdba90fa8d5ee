"""Metrics of a process that serves no HTTP otherwise: `GET /metrics` on a port of its own, for Prometheus.

Off without a port. It listens on the loopback address unless told otherwise; where FIRSTUSER_METRICS_TOKEN is
set, it has to be sent, as to the API.
"""

import hmac
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from api.settings.service import ServiceSettings

PATH = "/metrics"
_log = structlog.get_logger("metrics")


class _Quiet(WSGIRequestHandler):
    timeout = 10  # a scraper that hangs keeps its thread no longer

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def registry(*collectors: Collector) -> CollectorRegistry:
    """With what the process itself takes: time, memory, files."""
    made = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=made)
    for collector in collectors:
        made.register(collector)
    return made


@contextmanager
def serving(given: CollectorRegistry, port: int | None, service: ServiceSettings) -> Generator[str | None]:
    """The address while it serves; None without a port, or when the port cannot be had: that is said, and
    keeps nobody from working."""
    if port is None:
        yield None
        return
    token = service.metrics_token.get_secret_value() if service.metrics_token else None
    try:
        server = make_server(service.metrics_host, port, _app(given, token), _Server, _Quiet)
    except OSError as error:
        _log.error("no metrics: their port cannot be had", port=port, kind=type(error).__name__)
        yield None
        return
    address = f"http://{service.metrics_host}:{server.server_port}{PATH}"
    _log.info("metrics", address=address)
    with server:
        Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        try:
            yield address
        finally:
            server.shutdown()


def _app(given: CollectorRegistry, token: str | None) -> Callable[..., Iterable[bytes]]:
    exposing = make_wsgi_app(given)

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        said = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        known = token is None or hmac.compare_digest(said.encode(), token.encode())
        if environ["PATH_INFO"] != PATH or not known:
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing here.\n"]
        return exposing(environ, start)

    return app
