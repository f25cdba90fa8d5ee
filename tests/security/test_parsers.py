"""Every parser that reads bytes from outside: what it gets, it takes or refuses in a way that is its own.

Never another exception, never without end: nesting, huge numbers, NULs, halves of characters, cut base64.
"""

import base64
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from api.core.access import addresses
from api.core.alerts import reports
from api.core.backups.wal import parse_lsn
from api.core.chat.token import WidgetKeys
from api.core.crypto import Signer, Vault, data_keys
from api.core.errors import FirstUserError
from api.core.flags.rules import parse_overrides
from api.core.founders import identifiers, sessions
from api.core.incidents import cases
from api.core.keys import token
from api.core.webhooks import schedule, signing, targets
from api.http import cursors, fast_bodies, invitations
from api.providers import probe_spool
from api.providers.databases.embedded import manifests, markers
from api.providers.rate_limits import wait_s
from api.providers.stores import location, tar_pieces
from api.settings import StoreSettings
from deployments import watch_file
from tests.product import DATA_KEY, NOW, SESSION_SECRET, WIDGET_SECRET

DEEP = 5000
NASTY = (
    "[" * DEEP,
    "[" * 2000,
    '{"a":' * DEEP,
    '{"cases":' + "[" * DEEP,
    "9" * 5000,
    f"[{'9' * 5000}, 1]",
    "\x00",
    "\ud800",
    '["\\ud800", "\\u0000"]',
    "1e999",
    "NaN",
    "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
    "Mon, 01 Jan 99999 00:00:00 +0000",
    "é" * 50,
    "=" * 100,
    "../" * 50,
    " " * 10_000,
    '{"cases":[{"name":"a","series":[[null,1]],"expected":{"0000000011":"TRIP"}}]}',
)
TEXT = st.one_of(st.sampled_from(NASTY), st.text(st.characters(codec=None), max_size=200))
ENCODED = TEXT.map(
    lambda text: base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")
)
BYTES = st.one_of(TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=600))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
few = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

VAULT, SIGNER = Vault(data_keys(DATA_KEY)), Signer([SESSION_SECRET], "fuzz")
WIDGETS = WidgetKeys([WIDGET_SECRET], "https://app.example")
NO_DATABASE = cast("Session", None)
"""A cookie that is not ours gets no further than its signature."""


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _widget(text: str) -> object:
    return WIDGETS.verify(text, "https://a.example", NOW)


def _headed(text: str) -> object:
    return WIDGETS.verify(
        f"{base64.urlsafe_b64encode(text.encode('utf-8', 'replace')).decode()}.e30.c2ln", "x", NOW
    )


def _cookie(text: str) -> object:
    return sessions.current(NO_DATABASE, SIGNER, text, NOW)


READERS: dict[str, Callable[[str], object]] = {
    "API keys": token.parse,
    "cookies of sessions": _cookie,
    "cursors": cursors.decode,
    "data keys": data_keys,
    "dates of vendors": lambda text: wait_s({"retry-after": text, "x-ratelimit-reset": text}, NOW),
    "dates of receivers": lambda text: schedule.retry_after(text, NOW),
    "destinations of webhooks": targets.parse,
    "flags in the environment": parse_overrides,
    "invitations": lambda text: invitations.unseal(VAULT, text, NOW),
    "login identifiers": identifiers.parse,
    "origins": addresses.origin,
    "places in the WAL": parse_lsn,
    "return URLs": addresses.return_url,
    "senders": identifiers.sender,
    "series of minutes": lambda text: [cases.replay(one).surprises() for one in cases.read(text)],
    "stores": lambda text: location.directory_of(StoreSettings(url=text), Path("x")),
    "tokens of widgets": _widget,
    "tokens of widgets, their header": _headed,
}


@pytest.mark.parametrize("what", READERS)
def test_any_text_is_taken_or_refused(what: str) -> None:
    read = READERS[what]

    @few
    @given(TEXT | ENCODED | JSON.map(json.dumps))
    def look(text: str) -> None:
        with suppress(FirstUserError):
            read(text)

    for text in (
        *NASTY,
        *(base64.urlsafe_b64encode(one.encode("utf-8", "replace")).decode() for one in NASTY),
    ):
        look = example(text)(look)
    look()


@few
@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), TEXT), BYTES
)
def test_any_headers_of_a_webhook_have_a_verdict(sent: dict[str, str], body: bytes) -> None:
    assert signing.verify([signing.generate()], sent, body, NOW) is not signing.Verdict.GENUINE


@few
@given(BYTES, TEXT)
def test_a_watchers_report_is_genuine_or_refused(body: bytes, signature: str) -> None:
    for given_signature in (signature, SIGNER.sign(body.decode("utf-8", "replace")).hex()):
        with suppress(FirstUserError):
            reports.opened(body, given_signature, SIGNER, NOW)
    reports.reply(body)


@few
@given(BYTES | JSON.map(lambda value: json.dumps(value).encode()))
def test_the_fast_lane_reads_any_body_or_leaves_it(body: bytes) -> None:
    fast_bodies.beats(body, NOW)
    fast_bodies.exchange({}, body)


@few
@given(BYTES | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"at":"2026-01-01T00:00:00","outcome":"pass","detail":""}')
@example(b"[" * DEEP)
def test_files_that_a_power_cut_tore_are_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="firstuser-fuzz-") as name:
        folder = Path(name)
        (folder / "probes.jsonl").write_bytes(content)
        probe_spool.read(folder / "probes.jsonl", datetime(2020, 1, 1, tzinfo=UTC))
        (folder / "copy.json").write_bytes(content)
        markers.read_marker(folder)
        (folder / "watcher.json").write_bytes(content)
        watch_file.read(folder / "watcher.json")
        (folder / "backup_manifest").write_bytes(content)
        with pytest.raises(FirstUserError):
            manifests.wal_range(folder)


@few
@given(BYTES)
def test_a_stored_tree_is_unpacked_inside_its_folder_or_refused(content: bytes) -> None:
    _unpacks(content)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside"])
def test_a_stored_tree_that_climbs_is_refused(name: str) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert not _unpacks(made.getvalue())
    assert not _unpacks(made.getvalue()[:700])


def _unpacks(content: bytes) -> bool:
    with tempfile.TemporaryDirectory(prefix="firstuser-fuzz-") as folder:
        try:
            tar_pieces.unpack(Path(folder) / "tree", lambda _number: content, 1, 1)
        except FirstUserError:
            return False
        return True


def test_the_net_catches_what_it_is_for() -> None:
    """A parser that breaks as they once did does not get through."""

    def broken(text: str) -> Any:
        return json.loads(text)

    READERS["a broken one"] = broken
    try:
        with pytest.raises((RecursionError, ValueError, ExceptionGroup)):
            test_any_text_is_taken_or_refused("a broken one")
    finally:
        del READERS["a broken one"]
