"""Pages as a browser shows them: nothing blocked, nothing wider than the screen, text that can be read."""

import psycopg
import pytest
from playwright.sync_api import Browser, Page, Request, StorageState

from api.settings import Settings
from tests.browser.chromium import VIEWS, View
from tests.browser.screenshots import addresses
from tests.product import SLUG

# The smallest contrast of any text on the page against the nearest painted background (WCAG 2 formula).
CONTRAST = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const found = rgb(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] > 0.5) return found;
    }
    return [255, 255, 255];
  };
  let worst = [21, ''];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('svg') || node.tagName === 'OPTION') continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 120)];
  }
  return worst;
}"""


def window(chromium: Browser, view: View, cookies: StorageState) -> tuple[Page, list[str]]:
    """A page and the list that its complaints go to."""
    context = chromium.new_context(
        color_scheme="dark" if view.scheme == "dark" else "light",
        viewport={"width": view.width, "height": view.height},
        storage_state=cookies,
    )
    page, complaints = context.new_page(), list[str]()
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: _note_failure(request, complaints))
    return page, complaints


def _note_failure(request: Request, complaints: list[str]) -> None:
    if request.failure != "net::ERR_ABORTED":  # the next page came first
        complaints.append(f"{request.url}: {request.failure}")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.scheme}-{view.device}")
def test_pages_fit_can_be_read_and_complain_of_nothing(
    chromium: Browser, site: Settings, cookies: StorageState, view: View
) -> None:
    page, complaints = window(chromium, view, cookies)
    for path in addresses(page, site.platform.public_app_url).values():
        page.goto(site.platform.public_app_url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= view.width, path
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, (path, where)
    assert complaints == []
    page.context.close()


def test_the_live_page_moves_by_itself(chromium: Browser, site: Settings, cookies: StorageState) -> None:
    page, complaints = window(chromium, VIEWS[0], cookies)
    page.goto(site.platform.public_app_url + "/app/live")
    page.wait_for_selector("text=Moving by itself")
    assert page.locator("#live-plot canvas").count() == 1
    before = int(page.inner_text("#live-count"))
    with psycopg.connect(site.platform.database_url.get_secret_value()) as connection:
        connection.execute(
            "insert into presence select integrations.id, '<b>just came</b>', now(), 'live' from integrations"
            " join spaces on spaces.id = space_id where slug = %s limit 1",
            [SLUG],
        )
    page.wait_for_selector("#live-people >> text=<b>just came</b>")
    assert int(page.inner_text("#live-count")) >= before
    assert complaints == []
    page.context.close()


def test_by_keyboard_alone(chromium: Browser, site: Settings, cookies: StorageState) -> None:
    page, _ = window(chromium, VIEWS[0], cookies)
    page.goto(site.platform.public_app_url + "/app")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.context.close()
