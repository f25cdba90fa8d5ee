"""The partners' API."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.core.access import waitlist
from api.settings import Settings
from tests.product import BASE_URL

PATHS = (("GET", "/me"), ("GET", "/users/live"), ("POST", "/heartbeat"))


@pytest.fixture
def users(app: FastAPI, integration_id: str) -> list[str]:
    """People with access, nobody live."""
    with app.state.services.transaction() as session:
        session.execute(text("delete from presence where integration_id = :i"), {"i": integration_id})
        return sorted(waitlist.users_with_grant(session, integration_id, 12))


@pytest.mark.parametrize("key", ["", "fu_live_x", "fu_live_" + "k" * 16 + "_" + "s" * 47, "ü"])
def test_every_bad_key_gets_the_same_answer(app: FastAPI, key: str) -> None:
    with TestClient(app, base_url=BASE_URL) as client:
        for method, path in PATHS:
            answer = client.request(
                method, f"/api/integration/v1{path}", headers={"Authorization": f"Bearer {key}".encode()}
            )
            body = answer.json()
            assert (answer.status_code, body["code"]) == (401, "invalid_api_key")
            assert body["detail"] == "The API key is missing or not valid."
            assert answer.headers["www-authenticate"] == "Bearer"


def test_who_am_i(partner: TestClient, integration_id: str) -> None:
    assert partner.get("/api/integration/v1/me").json()["id"] == integration_id


def test_heartbeats_make_people_live_until_they_leave(partner: TestClient, users: list[str]) -> None:
    beats = [{"external_user_id": user} for user in users[:3]] + [{"external_user_id": "stranger"}]
    answer = partner.post("/api/integration/v1/heartbeat", json={"users": beats})
    assert answer.json() == {"accepted": 3, "rejected": 1, "live_ttl": 90, "next_in": 30}
    listed = partner.get("/api/integration/v1/users/live").json()
    assert [user["external_user_id"] for user in listed["data"]] == users[:3]
    assert (listed["object"], listed["count"], listed["has_more"], listed["window_seconds"]) == (
        "list",
        3,
        False,
        90,
    )
    partner.post(
        "/api/integration/v1/heartbeat", json={"users": [{"external_user_id": users[0], "status": "left"}]}
    )
    assert partner.get("/api/integration/v1/users/live").json()["count"] == 2


def test_a_stopped_clock_of_the_partner_counts_for_a_minute_at_most(
    partner: TestClient, users: list[str]
) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=5)).isoformat()
    partner.post(
        "/api/integration/v1/heartbeat", json={"users": [{"external_user_id": users[0], "at": long_ago}]}
    )
    (seen,) = partner.get("/api/integration/v1/users/live").json()["data"]
    assert datetime.now(UTC) - datetime.fromisoformat(seen["last_seen"]) < timedelta(seconds=65)


def test_pages_follow_their_cursor(partner: TestClient, users: list[str]) -> None:
    partner.post(
        "/api/integration/v1/heartbeat", json={"users": [{"external_user_id": user} for user in users]}
    )
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = partner.get(f"/api/integration/v1/users/live?limit=5&cursor={cursor}").json()
        seen += [user["external_user_id"] for user in page["data"]]
        cursor = page["next_cursor"]
    assert seen == users


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMl0", "%00", "💥"])
def test_a_foreign_cursor_is_refused(partner: TestClient, cursor: str) -> None:
    answer = partner.get("/api/integration/v1/users/live", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    "users",
    [
        [],
        [{"external_user_id": ""}],
        [{"external_user_id": "a\x00b"}],
        [{"external_user_id": "a", "status": "gone"}],
        [{"external_user_id": "a", "at": "2026-01-01T00:00:00"}],
        [{"external_user_id": str(number)} for number in range(101)],
    ],
)
def test_heartbeats_not_as_described_point_at_what_is_wrong(
    partner: TestClient, users: list[dict[str, str]]
) -> None:
    answer = partner.post("/api/integration/v1/heartbeat", json={"users": users})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"].startswith("/users")


def test_the_first_call_is_remembered(
    seeded: Settings, partner_keys: dict[str, str], integration_id: str
) -> None:
    app = create_app(seeded)
    query = "update integrations set first_call_at = null where id = :i"
    with app.state.services.transaction() as session:
        session.execute(text(query), {"i": integration_id})
    key = {"Authorization": f"Bearer {partner_keys[integration_id]}"}
    TestClient(app, base_url=BASE_URL, headers=key).get("/api/integration/v1/me")
    with app.state.services.transaction() as session:
        query = "select first_call_at from integrations where id = :i"
        assert session.execute(text(query), {"i": integration_id}).scalar_one() is not None
