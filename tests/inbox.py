"""The code that reached somebody's inbox: it is sent after the answer, so whoever asked waits for it."""

import re
import time
from datetime import datetime

import pytest

from api.providers.messaging.outbox import Outbox

PATIENCE_S = 15


def code_sent(outbox: Outbox, to: str, asked_at: datetime) -> str:
    """The six digits of the newest message to `to` that was written at or after `asked_at`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        message = outbox.latest(to, asked_at)
        found = re.search(r"\b\d{6}\b", message.body) if message else None
        if found:
            return found.group()
        time.sleep(0.05)
    pytest.fail(f"no login code reached {to}")
