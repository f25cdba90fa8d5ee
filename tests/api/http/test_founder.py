"""The founders' API: their own spaces, and nobody else's."""

import pytest
from starlette.testclient import TestClient

from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

API = "/api/founder/v1"


def test_a_space_adds_up(founder: TestClient) -> None:
    space = founder.get(f"{API}/spaces/{SLUG}").json()
    entries = space["entries"]
    assert entries["total"] == entries["waiting"] + entries["accepted"] + entries["rejected"] > 50
    assert 0 < space["grants"]["active"] <= space["grants"]["total"] <= entries["accepted"]
    assert len(space["integrations"]) == 1
    live = founder.get(f"{API}/spaces/{SLUG}/live").json()
    assert live["count"] == len(live["data"]) and live["window_seconds"] == 90


def test_an_integration_shows_no_secret(founder: TestClient, partner_keys: dict[str, str]) -> None:
    integration_id = founder.get(f"{API}/spaces/{SLUG}").json()["integrations"][0]["id"]
    answer = founder.get(f"{API}/integrations/{integration_id}")
    setup = answer.json()
    assert setup["return_urls"] and setup["keys"][0]["revoked_at"] is None
    assert setup["checklist"][0]["key"] == "api_key"
    secret = partner_keys[integration_id].rsplit("_", 1)[1]
    assert secret not in answer.text
    assert secret not in founder.get("/app/integrate").text


def test_another_founders_things_are_not_there(founder: TestClient, visit: Visit, outbox: Outbox) -> None:
    integration_id = founder.get(f"{API}/spaces/{SLUG}").json()["integrations"][0]["id"]
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    for path in (
        f"/spaces/{SLUG}",
        f"/spaces/{SLUG}/live",
        f"/spaces/{SLUG}/live/stream",
        f"/integrations/{integration_id}",
        "/spaces/none",
    ):
        answer = other.get(f"{API}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert other.get(f"/app?space={SLUG}", headers={"Accept": "text/html"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [f"/spaces/{SLUG}", f"/spaces/{SLUG}/live/stream", "/integrations/x", "/ops/drills", "/ops/backups"],
)
def test_without_a_session_there_is_nothing_to_see(anyone: TestClient, path: str) -> None:
    answer = anyone.get(f"{API}{path}", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (401, "login_required")


def test_the_document_tells_what_each_call_can_answer(anyone: TestClient) -> None:
    paths = anyone.get("/api/openapi.json").json()["paths"]
    assert {"200", "401", "422", "503"} <= set(paths["/api/integration/v1/users/live"]["get"]["responses"])
    assert {"202", "422"} <= set(paths["/auth/otp/start"]["post"]["responses"])
    assert not [path for path in paths if path.startswith("/app")]
