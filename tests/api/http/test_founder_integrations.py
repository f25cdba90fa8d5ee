"""Integrations as their founder sets them up: created, changed, keys rotated and ended."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from starlette.testclient import TestClient

from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

API = "/api/founder/v1"


def once() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


@pytest.fixture
def made(founder: TestClient) -> dict[str, str]:
    """An integration of one's own: `{"id", "key"}`."""
    answer = founder.post(f"{API}/spaces/{SLUG}/integrations", json={"name": "Rotated"}, headers=once())
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    return {"id": answer.json()["integration"]["id"], "key": answer.json()["key"]}


@pytest.fixture(autouse=True, scope="module")
def _tidy(seeded: Settings) -> Iterator[None]:
    """Other tests count on one integration in the space."""
    yield
    with psycopg.connect(seeded.platform.database_url.get_secret_value()) as connection:
        connection.execute("delete from integrations where name = any(array['Rotated', 'Renamed'])")


def me(visit: Visit, key: str) -> int:
    answer = visit().get("/api/integration/v1/me", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code


def audited(seeded: Settings, subject: str) -> list[str]:
    with psycopg.connect(seeded.platform.database_url.get_secret_value()) as connection:
        rows = connection.execute("select action from audit where subject = %s order by id", [subject])
        return [row[0] for row in rows]


def test_keys_rotate_with_an_overlap(
    founder: TestClient, visit: Visit, made: dict[str, str], seeded: Settings
) -> None:
    path = f"{API}/integrations/{made['id']}"
    rotated = founder.post(f"{path}/keys/rotate", json={"grace_seconds": 3600}, headers=once())
    assert rotated.status_code == 201 and rotated.headers["cache-control"] == "no-store"
    fresh = rotated.json()
    assert [me(visit, key) for key in (made["key"], fresh["key"])] == [200, 200]
    assert [key["state"] for key in fresh["keys"]] == ["current", "ending"]
    assert fresh["keys"][0]["id"] == fresh["id"]

    again = founder.post(f"{path}/keys/rotate", json={}, headers=once())
    assert (again.status_code, again.json()["code"]) == (409, "rotation_in_progress")
    assert founder.post(f"{path}/keys/rotate", json={"force": True}, headers=once()).status_code == 201

    old = fresh["keys"][1]["id"]
    current = founder.get(path).json()["keys"][0]["id"]
    ended = founder.post(f"{path}/keys/{old}/revoke")
    assert ended.status_code == 200 and me(visit, made["key"]) == 401
    refused = founder.post(f"{path}/keys/{current}/revoke")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_is_current")
    assert founder.post(f"{path}/keys/none/revoke").status_code == 404
    assert audited(seeded, made["id"]) == [
        "integrations.create",
        "keys.rotate",
        "keys.rotate",
        "keys.revoke",
    ]


def test_without_a_grace_the_old_key_ends_at_once(
    founder: TestClient, visit: Visit, made: dict[str, str]
) -> None:
    path = f"{API}/integrations/{made['id']}/keys/rotate"
    assert me(visit, made["key"]) == 200
    fresh = founder.post(path, json={"grace_seconds": 0}, headers=once()).json()
    assert [me(visit, key) for key in (made["key"], fresh["key"])] == [401, 200]


def test_signing_secrets_rotate_the_same_way(
    founder: TestClient, made: dict[str, str], seeded: Settings
) -> None:
    path = f"{API}/integrations/{made['id']}"
    first = founder.post(f"{path}/secrets/rotate", json={"grace_seconds": 0}, headers=once())
    assert first.status_code == 201 and first.headers["cache-control"] == "no-store"
    assert first.json()["secret"].startswith("whsec_")
    second = founder.post(f"{path}/secrets/rotate", json={"grace_seconds": 60}, headers=once()).json()
    assert [secret["state"] for secret in second["secrets"]] == ["current", "ending"]
    third = founder.post(f"{path}/secrets/rotate", headers=once())
    assert (third.status_code, third.json()["code"]) == (409, "rotation_in_progress")
    current, old = (secret["id"] for secret in second["secrets"])
    ended = founder.post(f"{path}/secrets/{old}/revoke")
    assert [secret["state"] for secret in ended.json()["secrets"]] == ["current", "revoked"]
    refused = founder.post(f"{path}/secrets/{current}/revoke")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_is_current")
    assert founder.post(f"{path}/secrets/none/revoke").status_code == 404
    shown = founder.get(path)
    assert second["secret"] not in shown.text and len(shown.json()["secrets"]) == 2
    assert audited(seeded, made["id"]).count("webhook_secrets.rotate") == 2


def test_it_takes_a_code_from_just_now(
    visit: Visit, outbox: Outbox, founder: TestClient, made: dict[str, str], seeded: Settings
) -> None:
    left_open = visit()
    log_in(left_open, outbox)
    with psycopg.connect(seeded.platform.database_url.get_secret_value()) as connection:
        connection.execute(
            "update sessions set proven_at = now() - interval '1 hour'"
            " where id = (select id from sessions order by created_at desc limit 1)"
        )
    path = f"{API}/integrations/{made['id']}"
    for asked in ("keys/rotate", "secrets/rotate", "keys/x/revoke", "secrets/x/revoke"):
        answer = left_open.post(f"{path}/{asked}", headers=once())
        assert (answer.status_code, answer.json()["code"]) == (403, "recent_login_required")
    assert founder.get(path).json()["secrets"] == []


def test_a_retry_gets_the_same_key(founder: TestClient, made: dict[str, str]) -> None:
    path, key = f"{API}/integrations/{made['id']}/keys/rotate", once()
    answers = [founder.post(path, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert founder.post(path).json()["code"] == "idempotency_key_required"
    other = founder.post(path, headers=key, json={"force": True})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("grace", [-1, 604_801, "soon", 1.5])
def test_a_grace_out_of_range_is_refused(founder: TestClient, made: dict[str, str], grace: object) -> None:
    path = f"{API}/integrations/{made['id']}/keys/rotate"
    answer = founder.post(path, json={"grace_seconds": grace}, headers=once())
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_addresses_are_changed_all_or_none(
    founder: TestClient, made: dict[str, str], seeded: Settings
) -> None:
    path = f"{API}/integrations/{made['id']}"
    wanted = {
        "name": "  Renamed  ",
        "return_urls": ["https://app.example.com/in", "https://app.example.com/in"],
        "origins": ["https://App.example.com:443/"],
        "webhook_url": "https://app.example.com/hooks",
    }
    changed = founder.patch(path, json=wanted).json()
    assert changed["return_urls"] == ["https://app.example.com/in"]
    assert (changed["origins"], changed["name"]) == (["https://app.example.com"], "Renamed")
    refused = founder.patch(path, json={"name": "Other", "origins": ["https://*.example.com"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "origin_invalid")
    assert founder.get(path).json()["name"] == "Renamed"
    assert founder.patch(path, json={"webhook_url": ""}).json()["webhook_url"] is None
    founder.patch(path, json={"origins": ["https://app.example.com"]})
    assert audited(seeded, made["id"]).count("integrations.change") == 2


def test_another_founders_integration_is_not_there(
    made: dict[str, str], visit: Visit, outbox: Outbox
) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    path = f"{API}/integrations/{made['id']}"
    answers = [
        other.patch(path, json={"name": "Mine"}),
        other.post(f"{path}/keys/rotate", headers=once()),
        other.post(f"{path}/keys/x/revoke"),
        other.post(f"{API}/spaces/{SLUG}/integrations", json={"name": "Mine"}, headers=once()),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 4


def test_a_foreign_page_changes_nothing(founder: TestClient, made: dict[str, str]) -> None:
    path = f"{API}/integrations/{made['id']}/keys/rotate"
    answer = founder.post(path, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert founder.post(path, headers=once()).status_code == 201
