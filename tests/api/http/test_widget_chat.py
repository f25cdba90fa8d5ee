"""The widget's side of chat: who may speak, and what becomes of what they say."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.access.holders import Holder
from api.core.chat import service as chat
from api.http.services import Services
from api.http.widget_chat import MESSAGES_AT_ONCE
from tests.product import BASE_URL
from tests.widgets import CHAT, headers, newcomers

CALLS = (
    ("POST", "/load", None),
    ("GET", "/messages", None),
    ("POST", "/messages", {"client_id": "c1", "text": "hello"}),
    ("POST", "/read", {"seq": 1}),
    ("GET", "/stream", None),
)


@pytest.fixture(scope="module")
def services(app: FastAPI) -> Services:
    return app.state.services


@pytest.fixture
def person(services: Services, integration_id: str) -> Holder:
    return newcomers(services, integration_id, 1)[0]


@pytest.fixture
def frame(app: FastAPI, services: Services, person: Holder) -> Iterator[TestClient]:
    with TestClient(app, base_url=BASE_URL, headers=headers(services, person)) as client:
        yield client


def every_call(client: TestClient) -> set[tuple[int, str]]:
    answers = [client.request(method, CHAT + path, json=body) for method, path, body in CALLS]
    return {(answer.status_code, answer.json()["code"]) for answer in answers}


def say(client: TestClient, client_id: str, words: str) -> Any:
    return client.post(f"{CHAT}/messages", json={"client_id": client_id, "text": words})


def test_what_is_said_is_there_when_the_frame_loads_again(frame: TestClient, services: Services) -> None:
    empty = frame.post(f"{CHAT}/load").json()
    assert (empty["last_seq"], empty["messages"]["data"], empty["space_name"]) == (0, [], "Northwind Kettle")
    said = say(frame, "c1", "hello\r\n<b>you</b>\x00")
    assert said.status_code == 201
    assert (said.json()["text"], said.json()["seq"], said.json()["sender"]) == (
        "hello\n<b>you</b>",
        1,
        "user",
    )
    with services.transaction() as session:
        chat.post(session, empty["id"], "founder", "f1", "welcome", services.clock())
    loaded = frame.post(f"{CHAT}/load").json()
    assert [one["text"] for one in loaded["messages"]["data"]] == ["hello\n<b>you</b>", "welcome"]
    assert (loaded["id"], loaded["unread"], loaded["read_seq"]) == (empty["id"], 1, 0)
    assert frame.post(f"{CHAT}/read", json={"seq": 2}).json() == {"read_seq": 2, "unread": 0}
    assert frame.post(f"{CHAT}/read", json={"seq": 1}).json()["read_seq"] == 2


def test_what_is_sent_again_is_there_once(frame: TestClient) -> None:
    first, again = say(frame, "c1", "hello"), say(frame, "c1", "hello")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(frame.get(f"{CHAT}/messages").json()["data"]) == 1


def test_nobody_can_flood_a_founder(frame: TestClient) -> None:
    answers = [say(frame, f"c{number}", "hello") for number in range(MESSAGES_AT_ONCE + 5)]
    assert {answer.status_code for answer in answers[:MESSAGES_AT_ONCE]} == {201}
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert frame.get(f"{CHAT}/messages").status_code == 200


def test_a_cursor_leads_through_all(frame: TestClient) -> None:
    for number in range(7):
        say(frame, f"c{number}", f"text {number}")
    seen: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = frame.get(f"{CHAT}/messages", params={"after": cursor, "limit": 3}).json()
        assert page["object"] == "list"
        seen += [one["text"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"text {number}" for number in range(7)]


@pytest.mark.parametrize(
    "body",
    [
        {"client_id": "c1", "text": ""},
        {"client_id": "c1", "text": " \n\u200b"},
        {"client_id": "c1", "text": "x" * 4001},
        {"client_id": "c1", "text": "x" * 9000},
        {"client_id": "c 1", "text": "x"},
        {"client_id": "c" * 65, "text": "x"},
        {"client_id": "c1"},
        {"client_id": "c1", "text": 5},
    ],
)
def test_messages_not_as_described_are_refused(frame: TestClient, body: dict[str, Any]) -> None:
    answer = frame.post(f"{CHAT}/messages", json=body)
    assert answer.status_code == 422 and answer.json()["code"] in {"validation_failed", "text_invalid"}
    half = frame.post(
        f"{CHAT}/messages",
        content=b'{"client_id": "c1", "text": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert half.status_code == 422


def test_nobody_speaks_without_a_token_of_this_page(app: FastAPI, services: Services, person: Holder) -> None:
    good = headers(services, person)
    with TestClient(app, base_url=BASE_URL) as client:
        for wrong in (
            {},
            {"Authorization": good["Authorization"]},
            {"Widget-Origin": good["Widget-Origin"]},
            good | {"Widget-Origin": "https://evil.example"},
            good | {"Authorization": good["Authorization"][:-3]},
            good | {"Authorization": good["Authorization"].replace("Bearer", "Basic")},
        ):
            client.headers = wrong
            assert every_call(client) == {(401, "invalid_widget_token")}


def test_a_token_that_has_expired_is_no_token(
    frame: TestClient, services: Services, person: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, later = type(services.widget_keys), services.clock() + timedelta(minutes=2)
    verify = keys.verify
    monkeypatch.setattr(keys, "verify", lambda self, token, origin, _: verify(self, token, origin, later))
    assert every_call(frame) == {(401, "invalid_widget_token")}


def test_who_loses_access_loses_the_word_at_once(
    frame: TestClient, services: Services, person: Holder
) -> None:
    assert frame.post(f"{CHAT}/load").status_code == 200
    with services.transaction() as session:
        session.execute(text("update grants set revoked_at = now() where id = :id"), {"id": person.grant_id})
    assert every_call(frame) == {(403, "grant_revoked")}


def test_a_switched_off_integration_is_silent(
    frame: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(services.flags), "integration_enabled", lambda *_: False)
    assert every_call(frame) == {(403, "integration_disabled")}


def test_a_page_that_is_not_registered_any_more_is_silent(
    frame: TestClient, services: Services, person: Holder
) -> None:
    change = "update integrations set origins = :origins where id = :id"
    before = frame.headers["Widget-Origin"]
    with services.transaction() as session:
        session.execute(text(change), {"origins": ["https://other.example"], "id": person.integration_id})
    assert every_call(frame) == {(401, "invalid_widget_token")}
    with services.transaction() as session:
        session.execute(text(change), {"origins": [before], "id": person.integration_id})
