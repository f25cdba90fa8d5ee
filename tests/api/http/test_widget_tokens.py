"""Minting widget tokens: for whom, for which page, and nothing about them in an address."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.access import waitlist
from api.http.services import Services
from tests.product import BASE_URL

MINT = "/api/integration/v1/widget/token"


@pytest.fixture
def services(app: FastAPI) -> Services:
    return app.state.services


@pytest.fixture
def origin(partner: TestClient) -> str:
    return partner.get("/api/integration/v1/me").json()["origins"][0]


@pytest.fixture
def user(services: Services, integration_id: str) -> str:
    """Someone with a grant."""
    with services.transaction() as session:
        return waitlist.users_with_grant(session, integration_id, 1)[0]


def test_a_token_speaks_for_one_user_on_one_page(
    services: Services, partner: TestClient, integration_id: str, origin: str, user: str
) -> None:
    answer = partner.post(MINT, json={"external_user_id": user, "origin": origin})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    now = datetime.now(UTC)
    token = services.widget_keys.verify(body["token"], origin, now)
    assert (token.bearer.integration_id, token.bearer.origin) == (integration_id, origin)
    assert token.bearer.user_id.startswith("usr_") and token.bearer.grant_id.startswith("grt_")
    assert now < datetime.fromisoformat(body["expires_at"]) <= now + timedelta(minutes=10)
    assert token.expires_at == datetime.fromisoformat(body["expires_at"])
    address = urlsplit(body["frame_url"])
    assert body["frame_url"].startswith(f"{BASE_URL}/widget/frame?")
    assert parse_qs(address.query) == {"integration": [integration_id], "origin": [origin]}


@pytest.mark.parametrize("change", ["/", ".evil.example", ":8443", "x"])
def test_only_exactly_registered_origins_get_one(
    partner: TestClient, origin: str, user: str, change: str
) -> None:
    for wrong in (origin + change, origin.replace("https", "http"), "null", "*"):
        answer = partner.post(MINT, json={"external_user_id": user, "origin": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "origin_not_allowed")


def test_users_without_access_get_none_and_all_the_same_answer(
    services: Services, partner: TestClient, integration_id: str, origin: str, user: str
) -> None:
    with services.transaction() as session:
        query = "update grants set revoked_at = now() where integration_id = :i and external_user_id = :u"
        session.execute(text(query), {"i": integration_id, "u": user})
        query = (
            "select external_user_id from entries where integration_id = :i and status = 'waiting' limit 1"
        )
        waiting = session.execute(text(query), {"i": integration_id}).scalar_one()
    answers = [
        partner.post(MINT, json={"external_user_id": who, "origin": origin})
        for who in (user, waiting, "nobody")
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(409, "no_active_grant")}
    assert len({one.json()["detail"] for one in answers}) == 1


def test_a_switched_off_integration_gets_none(
    services: Services, partner: TestClient, origin: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(services.flags), "integration_enabled", lambda *_: False)
    answer = partner.post(MINT, json={"external_user_id": user, "origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "integration_disabled")


@pytest.mark.parametrize(
    "body", [{}, {"origin": "x"}, {"external_user_id": "a", "origin": "https://ü.example"}]
)
def test_requests_not_as_described_are_refused(partner: TestClient, body: dict[str, str]) -> None:
    answer = partner.post(MINT, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
