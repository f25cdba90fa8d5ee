"""Both example partners in a real browser: sign up, be let in, talk to the founder on the partner's page."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from tests.browser.chromium import browser as chromium_browser
from tests.browser.chromium import executable
from tests.examples.conftest import GROUP, Partner, accept, someone

pytestmark = GROUP

if executable() is None:
    pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with chromium_browser() as opened:
        yield opened


def test_a_person_gets_in_and_finds_the_chat(
    chromium: Chromium, founder: httpx.Client, partner: Partner, site: str
) -> None:
    user_id, complaints = someone(), list[str]()
    page = chromium.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(partner.known.url)
    page.fill("input[name=user_id]", user_id)
    page.click("text=Sign up")
    page.click("text=Ask for access")
    page.wait_for_url(f"{site}/w/*")
    accept(founder, user_id)
    page.reload()
    page.wait_for_url(f"{partner.known.url}/app")
    frame = page.frame_locator("#chat iframe")
    frame.locator("textarea").fill("Hello founder")
    frame.locator("button[type=submit]").click()
    expect(frame.get_by_text("Hello founder")).to_be_visible()
    page.click("text=Log out")
    page.wait_for_url(f"{partner.known.url}/")
    assert complaints == []
    page.close()
