"""Setting up an integration in a browser: nothing reloads, and each refusal stands where it belongs."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.browser.chromium import browser, log_in


@pytest.fixture(scope="module")
def page(site: Settings) -> Iterator[Page]:
    with browser() as opened:
        page = opened.new_page(viewport={"width": 390, "height": 844})
        outbox = Outbox(site.service.outbox_dir)
        log_in(page, site.platform.public_app_url, outbox, site.platform.homepage_owner_phone)
        yield page


def test_from_a_new_product_to_a_rotated_key(page: Page, site: Settings) -> None:
    failures = list[str]()
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(site.platform.public_app_url + "/app/integrate")
    page.click("text=Add another product")
    page.fill("#new-name", "Browser")
    page.click("text=Create it with a key")
    first = page.inner_text("#new-key")
    assert first.startswith("fu_live_") and "/app/integrate/int_" in page.url
    assert page.evaluate("document.activeElement.className") == "shown-once"

    page.fill("#origins-new", "https://app.example.com/path")
    page.press("#origins-new", "Enter")
    page.wait_for_selector("#origins-problem")
    assert page.evaluate("document.activeElement.id") == "origins-new"
    page.fill("#origins-new", "https://App.example.com")
    page.press("#origins-new", "Enter")
    page.wait_for_selector("text=https://app.example.com >> nth=0")
    assert page.locator("#new-key").count() == 0

    page.click("summary:has-text('Rotate key')")
    page.click("text=Rotate now")
    second = page.inner_text("#new-key")
    assert second != first and second in page.inner_text("#try-key")
    before = page.inner_text("time.countdown")
    page.wait_for_function("was => document.querySelector('time.countdown').textContent !== was", arg=before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    grave = [
        one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}
    ]
    assert grave == []

    page.click("summary:has-text('Rotate key')")
    page.check("input[name=force]")
    page.click("text=Rotate now")
    page.wait_for_function("was => document.querySelector('#new-key').textContent !== was", arg=second)
    page.reload()
    assert page.locator("#new-key").count() == 0 and page.locator(".credentials >> text=current").count() == 1
    assert failures == []


def test_languages_are_tabs_for_the_keyboard_too(page: Page, site: Settings) -> None:
    page.goto(site.platform.public_app_url + "/app/integrate")
    page.focus("role=tab[name=Python] >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.locator("role=tab[name=JavaScript][selected]").count() == page.locator(".snippet").count()
    assert page.is_visible("#exchange-javascript") and not page.is_visible("#exchange-python")
