"""Structured logs: one JSON object a line on standard output, for whoever keeps it (docs/observability.md).

Nothing personal and no credential is logged: ids, counts and verdicts only. Should a library put one into a
line nevertheless, it is cut or masked on the way out (`api.redaction`).
"""

import logging
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any, TextIO

import structlog

from api import redaction, request_log, tracing

Processor = structlog.types.Processor
Line = MutableMapping[str, Any]
_QUIET = ("uvicorn.access", "httpx", "httpcore")


def configure(service: str, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library's logging into the same lines. `service`: which process."""
    shared = _shared(service)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    request_log.lines.to(handler.stream, service)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.INFO
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def configure_ours(service: str, more: Sequence[Processor] = (), stream: TextIO | None = None) -> None:
    """Only what this code logs: the standard library's logging belongs to somebody else here, as to Prefect
    in a flow run. `more` adds to each line."""
    structlog.configure(
        processors=[*_shared(service, more), structlog.processors.JSONRenderer(default=str)],
        logger_factory=structlog.PrintLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )


def _shared(service: str, more: Sequence[Processor] = ()) -> list[Processor]:
    def named(_logger: object, _method: str, line: Line) -> Line:
        return {**line, "service": service}

    return [
        structlog.contextvars.merge_contextvars,
        *more,
        structlog.stdlib.add_log_level,
        named,
        tracing.ids,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redacted,
    ]


def redacted(_logger: object, _method: str, line: Line) -> Line:
    """The last that sees a line before it is written."""
    kept = {name: value for name, value in line.items() if name.startswith("_")}  # structlog's own
    return {name: redaction.field(name, value) for name, value in line.items() if name not in kept} | kept
