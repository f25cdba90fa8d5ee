"""The waiting list as its founder works on it, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.access import waitlist
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

API = "/api/founder/v1"
LIST = f"{API}/spaces/{SLUG}/entries"
BULK = f"{LIST}/bulk"


@pytest.fixture
def waiting(app: FastAPI, integration_id: str) -> list[str]:
    """Five entries at the end of the line."""
    services = app.state.services
    with services.transaction() as session:
        return [
            waitlist.join(
                session, services.vault, integration_id, f"w-{uuid4()}", datetime.now(UTC), "w@example.com"
            )
            for _ in range(5)
        ]


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def test_the_line_is_listed_in_order_page_by_page(founder: TestClient, waiting: list[str]) -> None:
    seen: list[dict[str, object]] = []
    cursor = ""
    while cursor is not None:
        page = founder.get(LIST, params={"status": "waiting", "limit": 20, "cursor": cursor}).json()
        seen += page["data"]
        cursor = page["next_cursor"]
    assert [entry["position"] for entry in seen] == list(range(1, len(seen) + 1))
    assert [entry["id"] for entry in seen][-5:] == waiting
    assert seen[-1]["email_masked"] == "w•••@example.com" and seen[-1]["object"] == "entry"
    newest = founder.get(LIST, params={"limit": 5}).json()
    assert [entry["id"] for entry in newest["data"]] == waiting[::-1] and newest["has_more"]


def test_accepting_is_once_and_rejecting_after_it_a_conflict(founder: TestClient, waiting: list[str]) -> None:
    entry = waiting[0]
    for _ in range(2):
        answer = founder.post(f"{API}/entries/{entry}/accept")
        assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
        assert answer.json()["position"] is None and answer.json()["decided_at"]
    answer = founder.post(f"{API}/entries/{entry}/reject")
    assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")
    assert founder.post(f"{API}/entries/{waiting[1]}/reject").json()["status"] == "rejected"
    assert founder.get(f"{API}/entries/{entry}").json()["status"] == "accepted"


def test_many_at_once(founder: TestClient, waiting: list[str]) -> None:
    body = {"action": "accept", "ids": [*waiting[:2], "wle_none"]}
    answer = founder.post(BULK, json=body, headers=key()).json()
    assert answer["decided"] == 2
    assert [one["result"] for one in answer["data"]] == ["decided", "decided", "not_found"]
    first = founder.get(LIST, params={"status": "waiting", "limit": 2}).json()["data"]
    answer = founder.post(BULK, json={"action": "reject", "first_n": 2}, headers=key()).json()
    assert [one["id"] for one in answer["data"]] == [entry["id"] for entry in first]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "accept"},
        {"action": "accept", "ids": ["a"], "first_n": 1},
        {"action": "delete", "first_n": 1},
        {"action": "accept", "first_n": 1001},
        {"action": "accept", "ids": ["x"] * 1001},
        {"action": "accept", "ids": []},
    ],
)
def test_what_is_not_as_described_decides_nothing(founder: TestClient, body: dict[str, object]) -> None:
    answer = founder.post(BULK, json=body, headers=key())
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_without_a_key_nothing_is_done(founder: TestClient, waiting: list[str]) -> None:
    answer = founder.post(BULK, json={"action": "accept", "ids": waiting})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    assert founder.get(f"{API}/entries/{waiting[0]}").json()["status"] == "waiting"


def test_the_same_key_answers_the_same_and_another_body_is_refused(
    founder: TestClient, waiting: list[str]
) -> None:
    body, headers = {"action": "accept", "ids": waiting[:1]}, key()
    first = founder.post(BULK, json=body, headers=headers)
    again = founder.post(BULK, json=body, headers=headers)
    assert first.content == again.content and first.json()["decided"] == 1
    assert again.headers["idempotency-replayed"] == "true"
    other = founder.post(BULK, json={**body, "action": "reject"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_many_with_one_key_at_once_act_once(founder: TestClient, waiting: list[str]) -> None:
    body, headers = {"action": "accept", "ids": waiting}, key()

    def send(_: int) -> tuple[int, str]:
        answer = founder.post(BULK, json=body, headers=headers)
        return answer.status_code, answer.json().get("code", str(answer.json().get("decided")))

    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(send, range(12)))
    assert (200, "5") in answers
    assert answers <= {(200, "5"), (409, "idempotency_in_flight")}


def test_a_refused_request_frees_its_key(founder: TestClient) -> None:
    headers = key()
    for _ in range(2):
        answer = founder.post(
            f"{API}/spaces/none/entries/bulk", json={"action": "accept", "first_n": 1}, headers=headers
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_founders_entries_are_not_there(
    visit: Visit, outbox: Outbox, waiting: list[str], app: FastAPI
) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    for method, path in (
        ("GET", LIST),
        ("GET", f"{API}/entries/{waiting[0]}"),
        ("POST", f"{API}/entries/{waiting[0]}/accept"),
        ("POST", f"{API}/entries/{waiting[0]}/reject"),
        ("POST", f"{API}/entries/wle_none/reject"),
    ):
        answer = other.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with app.state.services.transaction() as session:
        query = text("select status from entries where id = :id")
        assert session.execute(query, {"id": waiting[0]}).scalar_one() == "waiting"
