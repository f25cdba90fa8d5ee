"""Both example partners against the live service: one story, from the waiting list in and out again."""

import signal
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.examples.conftest import (
    COMMANDS,
    GROUP,
    Browser,
    Partner,
    accept,
    integrated,
    running,
    someone,
    until,
)

pytestmark = GROUP


def sign_up(client: httpx.Client, user_id: str) -> httpx.Client:
    assert client.post("/signup", data={"user_id": user_id}).headers["location"] == "/"
    return client


def to_the_waiting_list(client: httpx.Client) -> str:
    """The visitor page that the partner sends the browser to."""
    answer = client.post("/join")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def come_back(founder: httpx.Client, client: httpx.Client, user_id: str) -> str:
    """Join, be accepted, and follow the visitor page: the callback's path and query."""
    visit = to_the_waiting_list(client)
    assert client.get(visit).status_code == 200
    accept(founder, user_id)
    back = client.get(visit)
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


def be_in(founder: httpx.Client, client: httpx.Client, user_id: str) -> None:
    callback = come_back(founder, sign_up(client, user_id), user_id)
    answer = client.get(callback)
    assert (answer.status_code, answer.headers["location"]) == (303, "/app")


def test_from_the_waiting_list_into_the_product_and_out_again(
    founder: httpx.Client, partner: Partner, browser: Browser, site: str
) -> None:
    client, user_id = browser(), someone()
    assert client.post("/firstuser/widget-token").status_code == 401
    be_in(founder, client, user_id)
    until(lambda: partner.known.live().get(user_id) == "live")
    page = client.get("/app").text
    assert f"{site}/widget.js" in page and user_id in page
    assert "FirstUser.mount" in client.get("/public/chat.js").text
    token = client.post("/firstuser/widget-token")
    assert token.headers["cache-control"] == "no-store"
    assert token.json()["frame_url"].startswith(f"{site}/widget/frame")
    client.post("/logout")
    until(lambda: user_id not in partner.known.live())
    assert client.post("/firstuser/widget-token").status_code == 401
    assert client.get("/app").headers["location"] == "/"


def test_only_the_browser_that_asked_may_come_back_and_only_once(
    founder: httpx.Client, partner: Partner, browser: Browser
) -> None:
    client, user_id = browser(), someone()
    callback = come_back(founder, sign_up(client, user_id), user_id)
    query = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
    stranger = sign_up(browser(), someone())
    for other, sent in (
        (browser(), query),
        (stranger, query),
        (client, {**query, "state": "x" * 43}),
        (client, {"code": query["code"]}),
        (client, {}),
    ):
        assert other.get(f"/firstuser/callback?{urlencode(sent)}").status_code == 400
    assert client.get("/app").headers["location"] == "/"
    assert client.get(callback).headers["location"] == "/app"
    assert client.get(callback).status_code == 400


def test_a_made_up_code_opens_nothing_and_uses_the_state_up(
    founder: httpx.Client, partner: Partner, browser: Browser
) -> None:
    client, user_id = browser(), someone()
    callback = come_back(founder, sign_up(client, user_id), user_id)
    state = parse_qs(urlsplit(callback).query)["state"][0]
    made_up = urlencode({"code": "x" * 43, "state": state})
    assert client.get(f"/firstuser/callback?{made_up}").status_code == 403
    assert client.get(callback).status_code == 400
    assert client.get("/app").headers["location"] == "/"
    assert "exchange refused" in partner.lines() and "invalid_grant" in partner.lines()


@pytest.mark.parametrize("language", list(COMMANDS))
def test_at_shutdown_everyone_has_left(
    site: str, founder: httpx.Client, tmp_path: Path, language: str
) -> None:
    user_id, log = someone(), tmp_path / "log"
    with (
        integrated(site, founder, f"Short-lived in {language}") as known,
        httpx.Client(base_url=known.url, timeout=20) as client,
        running(language, site, known, log) as process,
    ):
        be_in(founder, client, user_id)
        until(lambda: user_id in known.live())
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
        assert user_id not in known.live()
        assert "status=left users=1" in log.read_text()
