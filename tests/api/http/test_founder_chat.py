"""The founder's side of chat: the list, the thread, and nobody else's."""

from collections.abc import Sequence

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.core.access.holders import Holder
from api.core.chat import service as chat
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG
from tests.widgets import newcomers

API = "/api/founder/v1"
LIST = f"{API}/spaces/{SLUG}/conversations"


@pytest.fixture
def services(app: FastAPI) -> Services:
    return app.state.services


@pytest.fixture
def person(services: Services, integration_id: str) -> Holder:
    return newcomers(services, integration_id, 1)[0]


@pytest.fixture
def talk(services: Services, person: Holder) -> str:
    """A conversation that the person began with three messages."""
    return begin(services, person, "one", "two <script>alert(1)</script>", "three")


def begin(services: Services, person: Holder, *texts: str) -> str:
    with services.transaction() as session:
        found = chat.opened(session, person.space_id, person.entry_id, services.clock())
        for words in texts:
            chat.post(session, found.id, "user", f"u-{words[:3]}", words, services.clock())
    return found.id


def texts(answer: Sequence[dict[str, str]]) -> list[str]:
    return [one["text"] for one in answer]


def test_a_list_says_who_wrote_last_and_how_much_is_unread(
    founder: TestClient, person: Holder, talk: str
) -> None:
    first = founder.get(LIST, params={"limit": 1}).json()
    (shown,) = first["data"]
    assert (shown["id"], shown["unread"], shown["last_seq"], shown["read_seq"]) == (talk, 3, 3, 0)
    assert shown["user"] == {
        "object": "user",
        "id": person.user_id,
        "external_user_id": person.external_user_id,
    }
    assert shown["last_message"]["text"] == "three"
    answer = founder.post(f"{API}/conversations/{talk}/read", json={"seq": 2})
    assert answer.json() == {"read_seq": 2, "unread": 1}
    assert founder.get(LIST).json()["data"][0]["unread"] == 1


def test_the_list_pages_through_everyone_once(
    founder: TestClient, services: Services, integration_id: str
) -> None:
    mine = {begin(services, person, "hello") for person in newcomers(services, integration_id, 5)}
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = founder.get(LIST, params={"limit": 2, "cursor": cursor}).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) and mine <= set(seen)


@pytest.mark.parametrize("cursor", ["x", "WyJhIiwiYiJd", "WyIyMDI2LTAxLTAxIiwiYiJd"])
def test_a_foreign_cursor_is_refused(founder: TestClient, cursor: str) -> None:
    answer = founder.get(LIST, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_messages_are_read_and_written(founder: TestClient, talk: str) -> None:
    path = f"{API}/conversations/{talk}/messages"
    said = founder.post(path, json={"client_id": "f1", "text": "four"})
    again = founder.post(path, json={"client_id": "f1", "text": "four"})
    assert (said.status_code, again.status_code) == (201, 200) and said.json() == again.json()
    assert texts(founder.get(path, params={"after": 2}).json()["data"]) == ["three", "four"]
    older = founder.get(path, params={"before": 3, "limit": 1}).json()
    assert texts(older["data"])[0].startswith("two") and older["next_cursor"] == "2"
    empty = founder.post(path, json={"client_id": "f2", "text": "\u200b"})
    assert (empty.status_code, empty.json()["code"]) == (422, "text_invalid")


def test_another_founders_conversation_is_as_unknown_as_none(visit: Visit, outbox: Outbox, talk: str) -> None:
    stranger = visit()
    log_in(stranger, outbox, OTHER_PHONE)
    for conversation_id in (talk, "cnv_00000000000000000000"):
        path = f"{API}/conversations/{conversation_id}"
        for answer in (
            stranger.get(f"{path}/messages"),
            stranger.post(f"{path}/messages", json={"client_id": "f", "text": "hello"}),
            stranger.post(f"{path}/read", json={"seq": 1}),
            stranger.get(f"{path}/stream"),
            stranger.get(f"/app/chat/{conversation_id}"),
            stranger.post(f"/app/chat/{conversation_id}", data={"client_id": "f", "text": "hello"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert talk not in answer.json()["detail"] or conversation_id == talk
    assert stranger.get(LIST).status_code == 404


def test_nobody_reads_without_a_login(anyone: TestClient, talk: str) -> None:
    for path in (LIST, f"{API}/conversations/{talk}/messages", f"{API}/conversations/{talk}/stream"):
        answer = anyone.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
    assert anyone.get(f"/app/chat/{talk}").headers["location"].startswith("/login")


def test_the_page_works_without_scripts(founder: TestClient, person: Holder, talk: str) -> None:
    listed = founder.get("/app/chat").text
    assert person.external_user_id in listed and "3<span" in listed
    page = founder.get(f"/app/chat/{talk}").text
    assert "two &lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page
    assert founder.get(LIST).json()["data"][0]["unread"] == 0
    client_id = page.partition('name="client_id" value="')[2].partition('"')[0]
    form = {"client_id": client_id, "text": "hello\r\nyou"}
    for _ in range(2):  # the button pressed twice
        answer = founder.post(f"/app/chat/{talk}", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/app/chat/{talk}#say")
    messages = founder.get(f"{API}/conversations/{talk}/messages").json()["data"]
    assert texts(messages)[-1] == "hello\nyou" and len(messages) == 4
    refused = founder.post(f"/app/chat/{talk}", data={"client_id": "c9", "text": " "})
    assert refused.status_code == 422 and "The message is empty." in refused.text


def test_long_conversations_come_in_pages(founder: TestClient, services: Services, person: Holder) -> None:
    talk = begin(services, person, *[f"{number:03d}" for number in range(120)])
    page = founder.get(f"/app/chat/{talk}").text
    assert ">119</p>" in page and ">069</p>" not in page
    older = founder.get(f"/app/chat/{talk}?before=71").text
    assert ">069</p>" in older and ">119</p>" not in older and "To the latest messages" in older
