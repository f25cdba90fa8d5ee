"""The bodies that are sent: `{type, timestamp, data}`, ids and not personal data. These bytes are signed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

TEST = "webhook.test"
TYPES: Mapping[str, str] = {TEST: "A test: sent whenever you or the partner ask for it."}
"""What is sent today, by type."""


def body(type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"type": type, "timestamp": timestamp, "data": dict(data)}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
