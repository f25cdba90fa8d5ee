"""axe-core over every page: nothing that keeps somebody out, in either scheme, at either width."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, StorageState

from api.settings import Settings
from tests.browser.chromium import VIEWS, View
from tests.browser.screenshots import LINKED, addresses
from tests.browser.stories import told

ONLY = {"resultTypes": ["violations"]}
GRAVE = {"serious", "critical"}
TOLD = {"incident", "preflight", "preflight-decided"}


@pytest.fixture(autouse=True, scope="module")
def stories(site: Settings) -> Iterator[None]:
    with told(site):
        yield


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[3]], ids=lambda view: f"{view.scheme}-{view.device}")
def test_nothing_keeps_anybody_out(
    chromium: Browser, site: Settings, cookies: StorageState, view: View
) -> None:
    context = chromium.new_context(
        color_scheme="dark" if view.scheme == "dark" else "light",
        viewport={"width": view.width, "height": view.height},
        storage_state=cookies,
        reduced_motion="reduce",
    )
    page, found = context.new_page(), list[str]()
    pages = addresses(page, site.platform.public_app_url)
    assert LINKED.keys() & pages.keys() >= TOLD
    for name, path in pages.items():
        page.goto(site.platform.public_app_url + path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        for violation in Axe().run(page, options=ONLY).response["violations"]:
            if violation["impact"] in GRAVE:
                where = [node["html"][:160] for node in violation["nodes"][:3]]
                found.append(f"{name}: {violation['id']}: {violation['help']}: {where}")
    assert found == []
    context.close()
