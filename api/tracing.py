"""OpenTelemetry, off unless OTEL_EXPORTER_OTLP_ENDPOINT says where traces go (docs/observability.md).

The SDK is an extra (`pip install 'firstuser[tracing]'`) and reads the rest of its variables by itself, as
OTEL_TRACES_SAMPLER and OTEL_RESOURCE_ATTRIBUTES. Off, nothing of it is imported, and a span costs one look.
"""

import time
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import structlog

from api.settings.tracing import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

Attributes = Mapping[str, str | int | float]
Kind = Literal["internal", "server", "client"]
_log = structlog.get_logger("tracing")


class _Tracing:
    tracer: "Tracer | None" = None
    provider: "TracerProvider | None" = None


_here = _Tracing()


def start(service: str, settings: TracingSettings) -> bool:
    """Whether spans are sent from now on. Without the SDK it says so, and the process works without."""
    if not settings.traces_url or _here.tracer is not None:
        return _here.tracer is not None
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        _log.error("no traces: install firstuser[tracing]", missing=missing.name)
        return False
    provider = TracerProvider(resource=Resource.create({"service.name": settings.service_name or service}))
    exporter = OTLPSpanExporter(endpoint=settings.traces_url, headers=_headers(settings))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _here.provider, _here.tracer = provider, provider.get_tracer("firstuser")
    return True


def stop() -> None:
    """What is not sent yet goes out now."""
    if _here.provider is not None:
        _here.provider.shutdown()
    _here.provider = _here.tracer = None


def on() -> bool:
    return _here.tracer is not None


@contextmanager
def span(
    name: str, attributes: Attributes, kind: Kind = "internal", headers: Mapping[str, str] | None = None
) -> Generator["Span | None"]:
    """Around what happens in the block; None while there are no traces. `headers` name the span of the
    caller, as W3C's traceparent does. What is raised in the block is its kind's name in the span, no text."""
    tracer = _here.tracer
    if tracer is None:
        yield None
        return
    from opentelemetry import propagate
    from opentelemetry.trace import Status, StatusCode

    parent = propagate.extract(headers) if headers else None
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=_kind(kind),
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except BaseException as error:
            begun.set_attribute("error.type", type(error).__name__)
            begun.set_status(Status(StatusCode.ERROR))
            raise


def passed(name: str, attributes: Attributes, ms: float, kind: Kind = "server") -> None:
    """A span of what has just ended after so many milliseconds."""
    tracer = _here.tracer
    if tracer is not None:
        now = time.time_ns()
        begun = tracer.start_span(
            name, kind=_kind(kind), attributes=attributes, start_time=now - int(ms * 1_000_000)
        )
        begun.end(now)


def ids(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog: which trace a line belongs to."""
    if _here.tracer is not None:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"], line["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return line


def _kind(kind: Kind) -> Any:
    from opentelemetry.trace import SpanKind

    return SpanKind[kind.upper()]


def _headers(settings: TracingSettings) -> dict[str, str] | None:
    if settings.exporter_otlp_headers is None:
        return None
    pairs = (pair.partition("=") for pair in settings.exporter_otlp_headers.get_secret_value().split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
