"""Flags through the founders' API: one's own space; everything only for the homepage's owner."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

API = "/api/founder/v1"
WHY = {"reason": "incident 7"}


@pytest.fixture(autouse=True)
def untouched(app: FastAPI) -> Iterator[None]:
    yield
    with app.state.services.transaction() as session:
        session.execute(text("delete from flags"))
    app.state.services.flags.refresh()


@pytest.fixture(scope="module")
def other(visit: Visit, outbox: Outbox) -> TestClient:
    client = visit()
    log_in(client, outbox, OTHER_PHONE)
    return client


def test_pausing_a_space_holds_at_once_and_says_who(founder: TestClient, app: FastAPI) -> None:
    space = founder.get(f"{API}/spaces/{SLUG}").json()["id"]
    answer = founder.patch(f"{API}/spaces/{SLUG}/onboarding", json={"paused": True, **WHY})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["key"], shown["space_id"], shown["enabled"], shown["in_effect"]) == (
        "onboarding_paused", space, True, True,
    )  # fmt: skip
    assert shown["changed_by"].startswith("fnd_") and shown["reason"] == "incident 7"
    board = app.state.services.flags
    assert board.onboarding_paused(space) and not board.onboarding_paused("spc_other")
    again = founder.patch(f"{API}/spaces/{SLUG}/onboarding", json={"paused": True, "reason": "again"})
    assert again.json() == shown


def test_an_integration_is_switched_off_alone_or_with_all_of_its_space(
    founder: TestClient, app: FastAPI, integration_id: str
) -> None:
    path = f"{API}/spaces/{SLUG}/features/integration_enabled"
    body = {"integration_id": integration_id, "enabled": False, **WHY}
    (shown,) = founder.patch(path, json=body).json()["data"]
    assert (shown["integration_id"], shown["enabled"], shown["in_effect"]) == (integration_id, False, False)
    assert not app.state.services.flags.integration_enabled(integration_id)
    founder.patch(path, json={"enabled": True, **WHY})
    assert app.state.services.flags.integration_enabled(integration_id)
    listed = founder.get(f"{API}/spaces/{SLUG}/features").json()["data"]
    assert {one["key"] for one in listed} == {
        "onboarding_paused", "integration_enabled", "webhook_retries_paused",
    }  # fmt: skip


def test_a_space_holds_the_deliveries_of_all_that_it_has(
    founder: TestClient, app: FastAPI, integration_id: str
) -> None:
    space = founder.get(f"{API}/spaces/{SLUG}").json()["id"]
    path = f"{API}/spaces/{SLUG}/features/webhook_retries_paused"
    (shown,) = founder.patch(path, json={"enabled": True, **WHY}).json()["data"]
    assert (shown["space_id"], shown["integration_id"], shown["enabled"]) == (space, None, True)
    board = app.state.services.flags
    assert board.webhook_retries_paused(integration_id, space)
    assert not board.webhook_retries_paused(integration_id, "spc_other")
    listed = founder.get(f"{API}/spaces/{SLUG}/features").json()["data"]
    mine = {one["integration_id"]: one for one in listed if one["key"] == "webhook_retries_paused"}
    assert (mine[integration_id]["enabled"], mine[integration_id]["in_effect"]) == (False, True)
    founder.patch(path, json={"enabled": False, **WHY})
    assert not board.webhook_retries_paused(integration_id, space)


def test_partners_meet_the_switches(founder: TestClient, partner: TestClient, integration_id: str) -> None:
    start = {
        "mode": "redirect", "external_user_id": "someone-new", "state": "s",
        "return_url": partner.get("/api/integration/v1/me").json()["return_urls"][0],
    }  # fmt: skip
    headers = {"Idempotency-Key": "switches-1"}
    founder.patch(f"{API}/spaces/{SLUG}/onboarding", json={"paused": True, **WHY})
    refused = partner.post("/api/integration/v1/waitlist/start", json=start, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "onboarding_paused")
    body = {"integration_id": integration_id, "enabled": False, **WHY}
    founder.patch(f"{API}/spaces/{SLUG}/features/integration_enabled", json=body)
    refused = partner.get("/api/integration/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "integration_disabled")


def test_what_is_not_ones_own_is_not_there(
    founder: TestClient, other: TestClient, partner_keys: dict[str, str]
) -> None:
    foreign = list(partner_keys)[1]
    body = {"integration_id": foreign, "enabled": False, **WHY}
    answers = [
        founder.patch(f"{API}/spaces/{SLUG}/features/integration_enabled", json=body),
        other.patch(f"{API}/spaces/{SLUG}/onboarding", json={"paused": True, **WHY}),
        other.get(f"{API}/spaces/{SLUG}/features"),
        other.get(f"{API}/spaces/none/features"),
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "not_found")}


@pytest.mark.parametrize(
    "body", [{"paused": True}, {"paused": True, "reason": "  "}, {"paused": True, "reason": "a\u0000b"}, {}]
)
def test_a_change_without_a_reason_is_refused(founder: TestClient, body: dict[str, object]) -> None:
    answer = founder.patch(f"{API}/spaces/{SLUG}/onboarding", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_the_global_switches_are_the_homepage_owners(
    founder: TestClient, other: TestClient, app: FastAPI
) -> None:
    path = f"{API}/ops/flags/webhook_retries_paused"
    refused = other.patch(path, json={"enabled": True, **WHY})
    assert (refused.status_code, refused.json()["code"]) == (403, "homepage_owner_required")
    assert founder.patch(path, json={"enabled": True, **WHY}).json()["in_effect"]
    assert app.state.services.flags.webhook_retries_paused()
    changes = founder.get(f"{API}/ops/flags/changes?limit=1").json()
    assert changes["data"][0]["after"] is True and changes["data"][0]["reason"] == "incident 7"
    assert other.get(f"{API}/ops/flags").json()["data"][2]["enabled"] is True
    assert founder.patch(f"{API}/ops/flags/telepathy", json={"enabled": True, **WHY}).status_code == 422


def test_the_ops_page_shows_and_turns_the_switches(founder: TestClient, other: TestClient) -> None:
    form = {"enabled": "true", "reason": "<b>incident</b> 8"}
    done = founder.post("/app/ops/flags/onboarding_paused", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/app/ops#switches")
    html = founder.get("/app/ops").text
    assert "&lt;b&gt;incident&lt;/b&gt; 8" in html and "Resume onboarding" in html
    assert "Resume onboarding" not in other.get("/app/ops").text
    page = {"Accept": "text/html"}
    assert other.post("/app/ops/flags/onboarding_paused", data=form, headers=page).status_code == 403
    silent = founder.post("/app/ops/flags/onboarding_paused", data={"enabled": "false", "reason": " "})
    assert silent.status_code == 422 and "Say why" in silent.text
