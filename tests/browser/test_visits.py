"""The waiting list as a visitor's browser shows it: on our page, and in a frame on the partner's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from api.core.access import waitlist
from api.db.engine import make_engine, session_scope
from api.settings import Settings
from deployments.local.seed import partner_keys_file
from tests.browser.chromium import VIEWS

PAGE = """<!doctype html><title>Partner</title><div id="place"></div><script>
  window.heard = [];
  addEventListener("message", event => heard.push([event.origin, event.data]));
</script>"""
FRAME = """url => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.getElementById("place").append(frame);
}"""


class Partner(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is not the place."""


@contextmanager
def partner_site() -> Iterator[str]:
    """The origin of a page that is not ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Partner)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with partner_site() as served:
        yield served


def change(site: Settings, statement: str, **values: object) -> None:
    engine = make_engine(site.platform.database_url.get_secret_value())
    with session_scope(engine) as session:
        session.execute(text(statement), values)
    engine.dispose()


def accept(site: Settings, entry_id: str) -> None:
    engine = make_engine(site.platform.database_url.get_secret_value())
    with session_scope(engine) as session:
        waitlist.accept(session, waitlist.entry(session, entry_id), datetime.now(UTC))
    engine.dispose()


def start(site: Settings, origin: str, **body: str) -> dict[str, Any]:
    integration_id, key = next(iter(json.loads(partner_keys_file(site).read_text()).items()))
    change(
        site,
        "update integrations set origins = array[:o], return_urls = array[:r] where id = :i",
        o=origin,
        r=f"{origin}/back",
        i=integration_id,
    )
    answer = httpx.post(
        f"{site.platform.public_app_url}/api/integration/v1/waitlist/start",
        json={"external_user_id": f"b-{uuid4()}", **body},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 201
    return answer.json()


def heard(page: Page, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """(origin, message) of that kind that have reached the partner's page."""
    page.wait_for_function("kind => heard.some(([, m]) => m.type === kind)", arg=f"waitlist.{kind}")
    told: list[tuple[str, dict[str, Any]]] = page.evaluate("heard")
    return [(who, message) for who, message in told if message["type"] == f"waitlist.{kind}"]


def test_the_frame_tells_its_partner_and_hands_over_the_code(
    site: Settings, chromium: Browser, origin: str
) -> None:
    started = start(site, origin, mode="embedded", embed_origin=origin, state="s-7")
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(origin)
    page.evaluate(FRAME, started["embed"]["url"])
    ((who, told),) = heard(page, "status")
    assert who == site.platform.public_app_url
    assert (told["status"], told["position"]) == ("waiting", started["entry"]["position"])
    assert heard(page, "height")[0][1]["height"] > 100
    accept(site, started["entry"]["id"])
    state_path = f"/w/embed/{started['embed']['token']}/state"
    page.frames[1].evaluate(
        "path => htmx.ajax('GET', path, {target: '#state', swap: 'outerHTML'})", state_path
    )
    ((who, told),) = heard(page, "code")
    assert who == site.platform.public_app_url and told["state"] == "s-7" and len(told["code"]) == 43
    assert complaints == []
    page.close()


def test_another_origin_can_neither_frame_nor_hear(site: Settings, chromium: Browser, origin: str) -> None:
    started = start(site, origin, mode="embedded", embed_origin=origin)
    with partner_site() as foreign:
        page = chromium.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(foreign)
        page.evaluate(FRAME, started["embed"]["url"])
        page.wait_for_timeout(500)
        assert page.evaluate("heard") == []
        assert [line for line in complaints if "frame-ancestors" in line]
        page.close()


def test_the_page_fits_a_phone_and_leads_back(site: Settings, chromium: Browser, origin: str) -> None:
    started = start(site, origin, mode="redirect", return_url=f"{origin}/back", state="s-8")
    for view in VIEWS:
        context = chromium.new_context(
            color_scheme="dark" if view.scheme == "dark" else "light",
            viewport={"width": view.width, "height": view.height},
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message, said=complaints: said.append(message.text))
        page.goto(started["redirect_url"])
        assert page.inner_text("h1") == "You are on the list"
        assert page.evaluate("document.documentElement.scrollWidth") <= view.width
        assert complaints == []
        context.close()
    page = chromium.new_page()
    page.goto(started["redirect_url"])
    accept(site, started["entry"]["id"])
    path = started["redirect_url"].removeprefix(site.platform.public_app_url) + "/state"
    page.evaluate("path => { htmx.ajax('GET', path, {target: '#state', swap: 'outerHTML'}) }", path)
    page.wait_for_url(f"{origin}/back?code=*")
    assert page.url.endswith("&state=s-8")
    assert page.evaluate("document.referrer") == ""
    page.close()
