"""One's own sessions: seen, ended one by one and all at once, by page and by API; nobody else's."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.http.browsers import described
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, OWNER_PHONE

API = "/api/founder/v1/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/19.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)


@pytest.fixture
def desk(visit: Visit, outbox: Outbox) -> Iterator[TestClient]:
    client = visit()
    client.headers["User-Agent"] = FIREFOX
    log_in(client, outbox, OTHER_PHONE)
    yield client
    client.delete(API)


@pytest.fixture
def phone(visit: Visit, outbox: Outbox) -> TestClient:
    client = visit()
    client.headers["User-Agent"] = IPHONE
    log_in(client, outbox, OTHER_PHONE)
    return client


def listed(client: TestClient) -> dict[str, bool]:
    return {one["browser"]: one["current"] for one in client.get(API).json()["data"]}


def test_a_founder_sees_where_they_are_logged_in(desk: TestClient, phone: TestClient) -> None:
    assert listed(desk) == {"Firefox on Linux": True, "Safari on iPhone": False}
    assert listed(phone) == {"Firefox on Linux": False, "Safari on iPhone": True}
    page = desk.get("/app/account").text
    assert "Safari on iPhone" in page and page.count("this browser") == 1


def test_one_browser_is_logged_out_from_another(desk: TestClient, phone: TestClient) -> None:
    other = next(one["id"] for one in desk.get(API).json()["data"] if not one["current"])
    assert desk.post(f"/app/account/sessions/{other}/end").headers["location"] == "/app/account"
    assert phone.get(API).json()["code"] == "login_required"
    assert phone.get("/app/account").headers["location"] == "/login?next=/app/account"
    assert desk.delete(f"{API}/{other}").status_code == 204
    assert listed(desk) == {"Firefox on Linux": True}


def test_everywhere_is_here_too(desk: TestClient, phone: TestClient) -> None:
    answer = phone.post("/app/account/sessions/end-all")
    assert (
        answer.headers["location"] == "/login" and 'fu_session_development=""' in answer.headers["set-cookie"]
    )
    for client in (desk, phone):
        assert client.get(API).status_code == 401


def test_another_founders_session_is_as_unknown_as_none(
    desk: TestClient, visit: Visit, outbox: Outbox
) -> None:
    stranger = visit()
    log_in(stranger, outbox, OWNER_PHONE)
    mine = desk.get(API).json()["data"][0]["id"]
    answers = [stranger.delete(f"{API}/{one}") for one in (mine, "ses_x")]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "not_found")] * 2
    assert desk.get(API).status_code == 200
    stranger.post("/auth/logout")


def test_a_foreign_page_ends_nothing(desk: TestClient) -> None:
    desk.headers["Origin"] = "https://evil.example"
    answers = [desk.delete(API), desk.post("/app/account/sessions/end-all")]
    assert [one.json()["code"] for one in answers] == ["foreign_origin"] * 2
    assert desk.get(API).status_code == 200
    desk.headers["Origin"] = str(desk.base_url).rstrip("/")


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", "Unknown browser"),
        ("<script>alert(1)</script>", "Unknown browser"),
        ("Firefox/1", "Firefox"),
    ],
)
def test_a_browser_in_words(user_agent: str, words: str) -> None:
    assert described(user_agent) == words
