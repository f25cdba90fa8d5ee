"""The line that every request leaves: the same JSON as `api.log` writes, made without its machinery.

A structured logger costs more than a whole heartbeat. Lines of one turn of the event loop go out together,
before the next turn; nothing else is held back.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

import orjson
import structlog

from api import redaction, request_metrics

_NOT_READY = "/api/readyz"
_log = structlog.get_logger("api.requests")


class RequestLines:
    """Counts, too: every answer passes here, and a burst of 5xx has to be noticed. A path that is a route's
    template by itself is its own `route`."""

    def __init__(self) -> None:
        self._answers = self._failures = 0
        self._stream: TextIO | None = None
        self._service = ""
        self._lines: list[bytes] = []

    def to(self, stream: TextIO | None, service: str = "") -> None:
        """Where `api.log` writes; None for processes that have not configured it. What waits goes out first,
        as its loop may have ended."""
        if self._stream is not None:
            self._flush(self._stream)
        self._stream, self._service = stream, service

    def write(
        self,
        request_id: str,
        method: str,
        path: str,
        status: int,
        ms: float,
        route: str = "",
        more: Mapping[str, str] | None = None,
    ) -> None:
        """A path that matches no route is whatever somebody typed: it is redacted. `more`: other fields."""
        level = "info"
        self._answers += 1
        request_metrics.counts.observe(method, route or path, status, ms)
        if status >= 500:
            level = "error"
            self._failures += path != _NOT_READY  # it says so on purpose
        shown = path if route != request_metrics.UNMATCHED else redaction.text(path)
        facts: dict[str, object] = {"request_id": request_id, "method": method, "path": shown}
        facts |= {"status": status, **(more or {})}
        if self._stream is None:
            getattr(_log, level)("request", **facts, ms=ms)
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush, self._stream)
        facts |= {"ms": ms, "event": "request", "level": level, "service": self._service}
        facts["timestamp"] = datetime.now(UTC)
        self._lines.append(orjson.dumps(facts, option=orjson.OPT_UTC_Z))

    def take(self) -> tuple[int, int]:
        """(answers, 5xx among them) since the last call; one that is counted at this moment may be lost."""
        taken = (self._answers, self._failures)
        self._answers = self._failures = 0
        return taken

    def _flush(self, stream: TextIO) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        stream.write(b"\n".join(lines).decode() + "\n")
        stream.flush()


lines = RequestLines()
