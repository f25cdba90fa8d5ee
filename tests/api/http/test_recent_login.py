"""What needs a code from just now: a browser left open is not enough."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.http import destinations
from api.http.deps import RecentlyProven
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.api.http.conftest import log_in
from tests.product import BASE_URL, OTHER_PHONE


@pytest.fixture(scope="module")
def guarded(seeded: Settings) -> FastAPI:
    """The application with one guarded operation and one guarded page of the test's own."""
    app = create_app(seeded)

    def rotate(who: RecentlyProven) -> dict[str, str]:
        return {"done_by": who.name}

    app.add_api_route("/api/founder/v1/rotate", rotate, methods=["POST"])
    app.add_api_route("/app/rotate", rotate, methods=["POST", "GET"])
    return app


@pytest.fixture
def client(guarded: FastAPI, outbox: Outbox) -> Iterator[TestClient]:
    with TestClient(
        guarded, base_url=BASE_URL, headers={"Origin": BASE_URL}, follow_redirects=False
    ) as client:
        log_in(client, outbox, OTHER_PHONE)
        yield client


def age(app: FastAPI) -> None:
    """The newest session's code was typed ten minutes ago."""
    with app.state.services.transaction() as session:
        session.execute(
            text(
                "update sessions set proven_at = proven_at - interval '10 minutes 1 second'"
                " where id = (select id from sessions order by created_at desc limit 1)"
            )
        )


def test_just_after_the_login_it_is_allowed(client: TestClient) -> None:
    assert client.post("/api/founder/v1/rotate").status_code == 200


def test_ten_minutes_later_it_needs_another_code(
    client: TestClient, guarded: FastAPI, outbox: Outbox
) -> None:
    age(guarded)
    problem = client.post("/api/founder/v1/rotate")
    assert (problem.status_code, problem.json()["code"]) == (403, "recent_login_required")
    assert client.get("/app").status_code == 200
    log_in(client, outbox, OTHER_PHONE)
    assert client.post("/api/founder/v1/rotate").status_code == 200


def test_a_page_leads_to_the_login_and_back(client: TestClient, guarded: FastAPI) -> None:
    age(guarded)
    seen = client.get("/app/rotate?space=a")
    assert (seen.status_code, seen.headers["location"]) == (
        303,
        "/login?next=/app/rotate%3Fspace%3Da&again=1",
    )
    pressed = client.post("/app/rotate", headers={"Referer": f"{BASE_URL}/app/integrate?space=a"})
    assert pressed.headers["location"] == "/login?next=/app/integrate%3Fspace%3Da&again=1"
    page = client.get(pressed.headers["location"])
    assert page.status_code == 200 and 'value="/app/integrate?space=a"' in page.text
    fragment = client.post("/app/rotate", headers={"HX-Request": "true"})
    assert fragment.headers["hx-redirect"] == "/login?again=1"
    foreign = client.post("/app/rotate", headers={"Referer": "https://evil.example/app/x"})
    assert foreign.headers["location"] == "/login?again=1"


def test_nobody_is_signed_in_and_nothing_is_said_of_recent(guarded: FastAPI) -> None:
    with TestClient(guarded, base_url=BASE_URL, headers={"Origin": BASE_URL}) as stranger:
        assert stranger.post("/api/founder/v1/rotate").json()["code"] == "login_required"


def test_a_new_login_ends_the_old_session_of_the_browser(client: TestClient, outbox: Outbox) -> None:
    before = client.cookies["fu_session_development"]
    log_in(client, outbox, OTHER_PHONE)
    client.cookies.set("fu_session_development", before, domain="127.0.0.1")
    assert client.get("/app").status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/app",
        "//evil.example/app",
        "/\\evil.example/app",
        "/app\\@evil.example",
        "javascript:alert(1)",
        "/application",
        "app",
        "http:/app/x",
        "",
    ],
)
def test_any_other_address_leads_home(wanted: str) -> None:
    assert destinations.safe(wanted) == "/app"


def test_a_tool_keeps_its_query() -> None:
    assert destinations.safe("/app/live?space=a&b=c d") == "/app/live?space=a&b=c%20d"
    assert destinations.safe("/app/x\r\nSet-Cookie: a") == "/app/xSet-Cookie%3A%20a"
