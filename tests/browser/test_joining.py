"""The homepage's form in a browser that has to compute before its mail goes out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from api.http.pages.joining import UNPROVEN
from api.settings import Settings
from tests.browser.chromium import browser, executable
from tests.serving import serving


@pytest.fixture(scope="module")
def url(seeded: Settings) -> Iterator[str]:
    if executable() is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    service = seeded.service.model_copy(update={"join_proof_of_work": True})
    with serving(replace(seeded, service=service)) as served:
        yield served.url


def test_people_notice_nothing_and_a_browser_without_scripts_is_told(url: str) -> None:
    with browser() as chromium:
        page, complaints = chromium.new_page(), list[str]()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        join(page, url)
        page.get_by_role("heading", name="Look into your inbox").wait_for(timeout=20_000)
        page.go_back()
        join(page, url)
        page.get_by_role("heading", name="Look into your inbox").wait_for(timeout=20_000)
        page.goto(url)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
        assert complaints == []
        plain = chromium.new_context(java_script_enabled=False).new_page()
        plain.goto(url)
        join(plain, url)
        assert UNPROVEN in plain.content()


def join(page: Page, url: str) -> None:
    if not page.url.rstrip("/").endswith(url.rstrip("/")):
        page.goto(url)
    page.fill("#email", "browser@example.net")
    page.click(".join button[type=submit]")
