"""Grants as the partner asks for them and takes them back."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.http.conftest import BASE_URL
from tests.codes import issue

API = "/api/integration/v1"


@pytest.fixture
def grant(app: FastAPI, partner: TestClient, integration_id: str) -> dict[str, str]:
    with app.state.services.transaction() as session:
        code = issue(session, integration_id, datetime.now(UTC)).code
    return partner.post(f"{API}/access/exchange", json={"code": code}).json()["grant"]


@pytest.fixture
def stranger(app: FastAPI, partner_keys: dict[str, str], integration_id: str) -> Iterator[TestClient]:
    """Another partner."""
    key = next(key for one, key in partner_keys.items() if one != integration_id)
    with TestClient(app, base_url=BASE_URL, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def beat(partner: TestClient, user: str) -> dict[str, int]:
    return partner.post(f"{API}/heartbeat", json={"users": [{"external_user_id": user}]}).json()


def live(partner: TestClient) -> list[str]:
    return [user["external_user_id"] for user in partner.get(f"{API}/users/live").json()["data"]]


def test_a_grant_is_found_and_revoked_once(
    app: FastAPI, partner: TestClient, grant: dict[str, str], integration_id: str
) -> None:
    path = f"{API}/access/grants/{grant['id']}"
    assert partner.get(path).json() == grant
    assert grant["object"] == "grant" and grant["revoked_at"] is None
    revoked = partner.delete(path).json()
    assert revoked["revoked_at"] and revoked | {"revoked_at": None} == grant
    assert partner.delete(path).json() == partner.get(path).json() == revoked
    with app.state.services.transaction() as session:
        query = "select count(*) from audit where actor = :i and subject = :g and action = 'grants.revoke'"
        assert session.execute(text(query), {"i": integration_id, "g": grant["id"]}).scalar_one() == 1


def test_who_loses_access_is_not_live_any_more(partner: TestClient, grant: dict[str, str]) -> None:
    user = grant["external_user_id"]
    soon = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat()
    partner.post(f"{API}/heartbeat", json={"users": [{"external_user_id": user, "at": soon}]})
    assert user in live(partner)
    partner.delete(f"{API}/access/grants/{grant['id']}")
    assert user not in live(partner)
    assert beat(partner, user)["rejected"] == 1
    assert user not in live(partner)


def test_who_uses_a_code_again_takes_access_and_presence_away(
    app: FastAPI, partner: TestClient, integration_id: str
) -> None:
    with app.state.services.transaction() as session:
        issued = issue(session, integration_id, datetime.now(UTC))
    body = {"code": issued.code}
    assert partner.post(f"{API}/access/exchange", json=body).status_code == 200
    assert beat(partner, issued.external_user_id)["accepted"] == 1
    assert issued.external_user_id in live(partner)
    assert partner.post(f"{API}/access/exchange", json=body).status_code == 400
    assert issued.external_user_id not in live(partner)
    assert beat(partner, issued.external_user_id)["rejected"] == 1


def test_another_partners_grant_is_as_unknown_as_none(
    partner: TestClient, stranger: TestClient, grant: dict[str, str]
) -> None:
    bodies: list[dict[str, str]] = []
    for grant_id in (grant["id"], "grt_none", "%00", "💥", "x" * 500):
        for method in ("GET", "DELETE"):
            answer = stranger.request(method, f"{API}/access/grants/{grant_id}")
            assert answer.status_code in {404, 422}
            if "%" not in grant_id:
                assert answer.status_code == 404
                bodies.append(answer.json() | {"request_id": ""})
    assert all(body == bodies[0] for body in bodies)
    assert partner.get(f"{API}/access/grants/{grant['id']}").json()["revoked_at"] is None
