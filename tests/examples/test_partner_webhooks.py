"""Both example partners as receivers: what is genuine is handled once, what is not breaks nothing."""

import json
import socket
import subprocess
from datetime import datetime, timedelta

import httpx
import pytest

from api.core.clock import system_clock
from api.core.webhooks import signing
from tests.examples.conftest import COMMANDS, GROUP, Partner, once

pytestmark = GROUP

HOOKS = "/hooks/firstuser"


def test_a_test_event_is_received_verified_and_handled_once(founder: httpx.Client, partner: Partner) -> None:
    said = partner.known.api.post("/webhooks/test").json()
    assert (said["delivered"], said["status_code"]) == (True, 200)
    assert json.loads(said["response_excerpt"]) == {"received": True, "duplicate": False}
    of_founder = founder.post(f"/api/founder/v1/integrations/{partner.known.id}/webhooks/test").json()
    sent = of_founder["request"]
    again = partner.post_webhook(sent["headers"], sent["body"].encode())
    assert (again.status_code, again.json()) == (200, {"received": True, "duplicate": True})
    assert f"id={said['message_id']} type=webhook.test duplicate=" in partner.lines()
    assert partner.known.secret not in partner.lines() and partner.known.key not in partner.lines()


def test_during_a_rotation_the_old_secret_is_enough(founder: httpx.Client, partner: Partner) -> None:
    here = f"/api/founder/v1/integrations/{partner.known.id}"
    once(founder, f"{here}/secrets/rotate", {})
    assert founder.post(f"{here}/webhooks/test").json()["delivered"]


_BAD_SIGNATURES = ("", ",", "v1", "v1,", "v1,!!!", "v1,AAAA", "ä" * 40)
EVENT = b'{"type":"webhook.test","timestamp":"2026-11-24T12:00:00Z","data":{}}'


def test_forged_old_and_tampered_webhooks_are_refused_and_nothing_breaks(partner: Partner) -> None:
    now = system_clock()
    good = signing.headers([partner.known.secret], "msg_good", now, EVENT)
    other = signing.headers([signing.generate()], "msg_good", now, EVENT)
    at = int(now.timestamp())
    refused = [
        ({}, EVENT),
        (other, EVENT),
        (good, EVENT + b" "),
        (good, b""),
        ({**good, "webhook-id": "msg_other"}, EVENT),
        ({**good, "webhook-timestamp": str(at + 1)}, EVENT),
        ({**good, "webhook-timestamp": "soon"}, EVENT),
        ({**good, "webhook-timestamp": "1e9"}, EVENT),
        ({**good, "webhook-timestamp": "9" * 300}, EVENT),
        (_signed(partner, now - timedelta(seconds=400)), EVENT),
        (_signed(partner, now + timedelta(seconds=400)), EVENT),
        *[({**good, "webhook-signature": signature}, EVENT) for signature in _BAD_SIGNATURES],
        ({**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}, EVENT),
    ]
    for headers, body in refused:
        sent = {name: value.encode() for name, value in headers.items()}
        answer = httpx.post(f"{partner.known.url}{HOOKS}", headers=sent, content=body)
        assert answer.status_code == 401, (headers, answer.text)
    among = {**good, "webhook-signature": f"v1,AAAA v2,x  {good['webhook-signature']}"}
    assert partner.post_webhook(among, EVENT).json() == {"received": True, "duplicate": False}


def _signed(partner: Partner, at: datetime) -> dict[str, str]:
    return signing.headers([partner.known.secret], "msg_old", at, EVENT)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"type":1}', b"\xff\xfe", b"[" * 100_000, b'"text"'])
def test_signed_nonsense_is_refused_without_a_crash(partner: Partner, body: bytes) -> None:
    headers = signing.headers([partner.known.secret], "msg_nonsense", system_clock(), body)
    assert partner.post_webhook(headers, body).status_code == 400


def test_strange_requests_do_not_bring_it_down(partner: Partner) -> None:
    assert partner.post_webhook({}, b"x" * 300_000).status_code == 413
    port = int(partner.known.url.rpartition(":")[2])
    for raw in (
        b"\x16\x03\x01 not http\r\n\r\n",
        b"GET // HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /hooks/firstuser HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nshort",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(raw)
    with httpx.Client(base_url=partner.known.url) as client:
        assert client.post("/signup", data={"user_id": "<script>"}).status_code == 422
        assert client.post("/signup", content=b"\xff").status_code == 422
        assert client.get("/nowhere").status_code == 404
        assert client.post("/join").headers["location"] == "/"
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("language", list(COMMANDS))
def test_a_missing_setting_is_named(language: str) -> None:
    command, folder = COMMANDS[language]
    done = subprocess.run(
        command, cwd=folder, env={}, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "FIRSTUSER_URL and FIRSTUSER_API_KEY" in done.stdout + done.stderr
