"""What reaches the log: JSON lines with ids, and no credential, address or number of a person."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from api import log, redaction, request_log
from api.core.keys import token

CREDENTIALS = {
    "an API key": token.generate().plaintext,
    "a signing secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl",
    "SendGrid's key": "SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "AWS's key": "AKIAIOSFODNN7EXAMPLE",
    "Slack's address": "https://hooks.slack.com/services/T000/B000/XXXXXXXX",
    "Discord's address": "https://discord.com/api/webhooks/1234567890/abc-DEF_ghi",
    "a database's address": "postgresql://owner:p4ss-word@db.example/app",
    "a header": "Authorization: Bearer abcdef0123456789",
    "a visitor's link": "https://app.example/w/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----",
}
LAID_BARE = (
    "MfKQ9r8",
    "c2lnbmF0dXJl",
    "bbbbbbbb",
    "IOSFODNN7",
    "XXXXXXXX",
    "abc-DEF",
    "p4ss-word",
    "abcdef0123456789",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "MC4CAQ",
    CREDENTIALS["an API key"],
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), (logging.getLogger().handlers, logging.getLogger().level)
    stream = io.StringIO()
    log.configure("test", stream)
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
    assert ours["service"] == theirs["service"] == "test"


@pytest.mark.parametrize("what", CREDENTIALS)
def test_no_credential_gets_through(lines: io.StringIO, what: str) -> None:
    planted = CREDENTIALS[what]
    said = structlog.get_logger("ours")
    said.info(f"with {planted}.", field=planted, nested={"list": [{"deep": f"x {planted} y"}]})
    said.info("by name", password="open sesame", headers={"Cookie": "open sesame"})
    logging.getLogger("a.library").error("failed: %s", planted)
    try:
        raise ValueError(planted)
    except ValueError:
        said.exception("raised")
    written = lines.getvalue()
    assert not [bare for bare in LAID_BARE if bare in written]
    assert "open sesame" not in written and written.count(redaction.CUT) >= 5


def test_what_is_bound_to_a_request_is_in_every_line_of_it(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger("ours").info("one")
        logging.getLogger("a.library").warning("two")
    structlog.get_logger("ours").info("three")
    found = [json.loads(line).get("request_id") for line in lines.getvalue().splitlines()]
    assert found == ["req_1", "req_1", None]


def test_a_value_that_json_does_not_know_is_no_lost_line(lines: io.StringIO) -> None:
    structlog.get_logger("ours").info("odd", one={1, 2}, two=b"\xff", three=object(), four={b"k": {"a": ...}})
    assert json.loads(lines.getvalue())["event"] == "odd"


def test_the_line_of_a_request_whose_loop_has_ended_is_not_lost(lines: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    loop.call_soon(loop.stop)
    loop.call_soon(request_log.lines.write, "req_1", "GET", "/api/me", 200, 0.1)
    loop.run_forever()
    loop.close()
    assert not lines.getvalue()
    request_log.lines.to(lines, "test")
    assert json.loads(lines.getvalue())["request_id"] == "req_1"


def test_ids_are_left_alone() -> None:
    for kept in (
        "req_fam21yww6w58yy45ry3h",
        "/api/founder/v1/spaces/{slug}",
        "2026-11-24T12:00:00Z",
        "drl_1",
    ):
        assert redaction.text(kept) == kept


@given(st.text())
def test_redaction_takes_any_text_and_leaves_nothing_to_redact(value: str) -> None:
    once = redaction.text(value)
    assert redaction.text(once) == once


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=30)
)
def test_redaction_takes_any_value(value: object) -> None:
    redaction.anything(value)
    redaction.field("token", value)
