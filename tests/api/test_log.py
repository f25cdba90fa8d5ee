"""What reaches the log: JSON lines, and no address or number of a person."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from api import log, request_log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), (logging.getLogger().handlers, logging.getLogger().level)
    stream = io.StringIO()
    log.configure(stream)
    yield stream
    root.handlers, root.level = before
    structlog.reset_defaults()
    request_log.lines.to(None)


def test_addresses_and_numbers_are_masked_wherever_they_come_from(lines: io.StringIO) -> None:
    structlog.get_logger("ours").info("sent to anna@example.com", to="+491701234567", id="wle_1", count=3)
    logging.getLogger("a.library").warning("cannot reach %s", "bob.b@mail.example.org")
    ours, theirs = (json.loads(line) for line in lines.getvalue().splitlines())
    assert ours["event"] == "sent to a•••@example.com"
    assert (ours["to"], ours["id"], ours["count"]) == ("+49••••4567", "wle_1", 3)
    assert theirs["event"] == "cannot reach b•••@mail.example.org"
