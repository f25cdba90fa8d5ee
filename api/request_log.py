"""The line that every request leaves: the same JSON as `api.log` writes, made without its machinery.

A structured logger costs more than a whole heartbeat. Lines of one turn of the event loop go out together,
before the next turn; nothing else is held back.
"""

import asyncio
from datetime import UTC, datetime
from typing import TextIO

import orjson
import structlog

_log = structlog.get_logger("api.requests")


class RequestLines:
    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._lines: list[str] = []

    def to(self, stream: TextIO | None) -> None:
        """Where `api.log` writes; None for processes that have not configured it."""
        self._stream = stream

    def write(self, request_id: str, method: str, path: str, status: int, ms: float) -> None:
        level = "error" if status >= 500 else "info"
        facts: dict[str, object] = {"id": request_id, "method": method, "path": path, "status": status}
        if self._stream is None:
            getattr(_log, level)("request", **facts, ms=ms)
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush, self._stream)
        facts |= {"ms": ms, "event": "request", "level": level, "timestamp": _now()}
        self._lines.append(orjson.dumps(facts).decode())

    def _flush(self, stream: TextIO) -> None:
        lines, self._lines = self._lines, []
        stream.write("\n".join(lines) + "\n")
        stream.flush()


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


lines = RequestLines()
