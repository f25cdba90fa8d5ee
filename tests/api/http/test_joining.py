"""Joining from the homepage: by a link to one's own address, and nobody learns who else is there."""

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.core.crypto import Vault, data_keys
from api.http import invitations
from api.http.flag_board import FlagBoard
from api.http.rate_limits import RateLimits
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit
from tests.product import NOW, vault

__all__ = ["vault"]


@pytest.fixture(autouse=True)
def _room(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is the first one to ask."""
    at: Services = app.state.services
    fresh = RateLimits(1, 1)
    for name in ("_joining", "_joining_again", "_joining_all"):
        monkeypatch.setattr(at.limits, name, getattr(fresh, name))
    yield


def link(outbox: Outbox, address: str, since: datetime) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        message = outbox.latest(address, since)
        found = re.search(r"https?://[^/]+(/join\?t=\S+)", message.body) if message else None
        if found:
            return found.group(1)
        time.sleep(0.02)
    pytest.fail("no link came")


def join(client: TestClient, outbox: Outbox, address: str, referral_code: str = "") -> str:
    """The page of the place in line."""
    since = datetime.now(UTC)
    asked = client.post("/join", data={"email": address, "referral_code": referral_code})
    assert asked.status_code == 202 and "Look into your inbox" in asked.text
    path = link(outbox, address.lower(), since)
    opened = client.get(path)
    token = re.search(r'name="token" value="([^"]+)"', opened.text)
    assert opened.status_code == 200 and token
    confirmed = client.post("/join/confirm", data={"token": token.group(1)})
    assert confirmed.status_code == 303 and confirmed.headers["location"].startswith("/w/")
    return client.get(confirmed.headers["location"]).text


def test_a_link_leads_to_the_place_in_line_and_back_to_it(visit: Visit, outbox: Outbox) -> None:
    first = join(visit(), outbox, "Zoe@example.net")
    code = re.search(r'value="([0-9a-f]{12})"', first)
    assert "You are on the list" in first and code
    friend = join(visit(), outbox, "yan@example.net", code.group(1))
    assert "You are on the list" in friend
    again = join(visit(), outbox, "zoe@example.net")
    assert code.group(1) in again and "So far: 1." in again


def test_a_new_data_key_makes_nobody_a_second_person(app: FastAPI, visit: Visit, outbox: Outbox) -> None:
    first = re.search(r'value="([0-9a-f]{12})"', join(visit(), outbox, "key@example.net"))
    at: Services = app.state.services
    ring = Vault([secrets.token_bytes(32), *data_keys(at.settings.service.data_key.get_secret_value())])
    app.state.services = replace(at, vault=ring)
    try:
        again = join(visit(), outbox, "key@example.net")
    finally:
        app.state.services = at
    assert first and first.group(1) in again


def test_opening_the_link_joins_nobody(visit: Visit, outbox: Outbox, founder: TestClient) -> None:
    since = datetime.now(UTC)
    visit().post("/join", data={"email": "scanner@example.net"})
    assert visit().get(link(outbox, "scanner@example.net", since)).status_code == 200
    assert "Nobody found" in founder.get("/app/waitlist", params={"q": "scanner@example.net"}).text


def test_machines_get_the_same_answer_and_no_mail(anyone: TestClient, outbox: Outbox) -> None:
    real = anyone.post("/join", data={"email": "real@example.net"})
    machine = anyone.post("/join", data={"email": "machine@example.net", "website": "https://spam.example"})
    assert (machine.status_code, machine.text) == (real.status_code, real.text)
    link(outbox, "real@example.net", datetime.now(UTC) - timedelta(minutes=1))
    assert outbox.latest("machine@example.net") is None


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "x" * 300 + "@example.net"])
def test_what_is_no_address_is_said_next_to_it(anyone: TestClient, email: str) -> None:
    answer = anyone.post("/join", data={"email": email})
    assert answer.status_code == 422 and 'id="join-problem"' in answer.text


def test_an_address_is_not_flooded(visit: Visit) -> None:
    answers = [visit().post("/join", data={"email": "flood@example.net"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[-1].headers["retry-after"]) > 60


def test_while_onboarding_is_paused_nobody_new_joins(
    visit: Visit, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(visit(), outbox, "early@example.net")
    since = datetime.now(UTC)
    for name in ("early", "late"):
        visit().post("/join", data={"email": f"{name}@example.net"})
    links = {name: link(outbox, f"{name}@example.net", since) for name in ("early", "late")}
    monkeypatch.setattr(FlagBoard, "onboarding_paused", lambda *_: True)
    assert "Nobody new joins for the moment" in visit().get("/").text
    assert visit().post("/join", data={"email": "later@example.net"}).status_code == 409
    tokens = {name: path.removeprefix("/join?t=") for name, path in links.items()}
    early = visit().post("/join/confirm", data={"token": tokens["early"]})
    assert early.status_code == 303
    late = visit().post("/join/confirm", data={"token": tokens["late"]})
    assert (late.status_code, late.json()["code"]) == (409, "onboarding_paused")


@pytest.mark.parametrize("token", ["", "x", "AAAA", "é" * 9])
def test_links_that_we_did_not_send_lead_nowhere(anyone: TestClient, token: str) -> None:
    assert anyone.get("/join", params={"t": token}).status_code == 410
    assert anyone.post("/join/confirm", data={"token": token}).status_code == 404


def test_a_link_ends_after_a_day(vault: Vault) -> None:
    token = invitations.seal(vault, "zoe@example.net", "", NOW)
    assert invitations.unseal(vault, token, NOW + timedelta(hours=23)) is not None
    assert invitations.unseal(vault, token, NOW + timedelta(hours=24)) is None
    assert invitations.unseal(vault, token[:-2], NOW) is None
