"""Traces reach a collector as OTLP over HTTP, with the ids of the log lines; off, there are none."""

import builtins
import io
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr
from starlette.testclient import TestClient

from api import log, request_log, tracing
from api.settings.tracing import TracingSettings

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.paths: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []

    def spans(self) -> dict[str, Any]:
        """By name."""
        found: dict[str, Any] = {}
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found |= {one.name: one for one in scope.spans}
        return found


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.paths.append((self.path, self.headers.get("api-key", "")))
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{made.server_port}"
        settings = TracingSettings(
            exporter_otlp_endpoint=url, exporter_otlp_headers=SecretStr("api-key=s3cret")
        )
        assert tracing.start("firstuser-test", settings)
        yield made
        tracing.stop()
        made.shutdown()


def test_a_request_is_a_span_under_its_callers(collector: Collector, founder: TestClient) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    before = (root.handlers, root.level)
    log.configure("test", stream)
    try:
        path = "/api/founder/v1/spaces/nobody-s"
        answer = founder.get(path, headers={"traceparent": CALLER})
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
        request_log.lines.to(None)
    tracing.stop()
    assert collector.paths[0] == ("/v1/traces", "s3cret")
    span = collector.spans()["GET /api/founder/v1/spaces/{slug}"]
    facts = {one.key: one.value for one in span.attributes}
    assert span.trace_id.hex() == CALLER.split("-")[1] and span.parent_span_id.hex() == CALLER.split("-")[2]
    assert facts["http.response.status_code"].int_value == 404
    assert facts["firstuser.request_id"].string_value == answer.headers["request-id"]
    assert path not in str(span)  # a path may hold what only its reader may know
    (line,) = [json.loads(one) for one in stream.getvalue().splitlines() if '"request"' in one]
    assert line["trace_id"] == span.trace_id.hex() and line["request_id"] == answer.headers["request-id"]


def test_what_is_raised_is_named_and_not_quoted(collector: Collector) -> None:
    with pytest.raises(ValueError, match="planted"), tracing.span("broken", {}):
        raise ValueError("planted-secret")
    tracing.passed("GET /fast", {"http.route": "/fast"}, 12.5)
    tracing.stop()
    spans = collector.spans()
    assert "planted" not in str(spans["broken"]) and "ValueError" in str(spans["broken"])
    fast = spans["GET /fast"]
    assert fast.end_time_unix_nano - fast.start_time_unix_nano == 12_500_000


def test_off_there_is_nothing(anyone: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (
        TracingSettings(),
        TracingSettings(exporter_otlp_endpoint="http://127.0.0.1:1", sdk_disabled=True),
    ):
        assert not tracing.start("firstuser-test", settings)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        assert not name.startswith("opentelemetry"), "off, nothing of it is imported"
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with tracing.span("nothing", {}) as span:
        assert span is None
    assert tracing.ids(None, "", {}) == {}
    assert anyone.get("/login").status_code == 200


def test_without_the_sdk_the_process_works_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry.exporter"):
            raise ImportError(name, name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with structlog.testing.capture_logs() as lines:
        assert not tracing.start(
            "firstuser-test", TracingSettings(exporter_otlp_endpoint="http://127.0.0.1:1")
        )
    assert "firstuser[tracing]" in lines[0]["event"] and lines[0]["log_level"] == "error"
