"""axe-core over every page: nothing that keeps somebody out, in either scheme, at either width."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, StorageState

from api.core.drills.history import WEEK, history
from api.core.drills.records import DrillStatus
from api.settings import Settings
from flows import drill_history
from tests.api.core.drills.test_history import drill
from tests.browser.chromium import VIEWS, View
from tests.browser.screenshots import LINKED, addresses
from tests.browser.stories import told

ONLY = {"resultTypes": ["violations"]}
GRAVE = {"serious", "critical"}
GOOD, BAD = DrillStatus.PASSED, DrillStatus.FAILED
TOLD = {"incident", "preflight", "preflight-decided", "evidence-record"}


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


@pytest.mark.parametrize("view", [VIEWS[1], VIEWS[2]], ids=lambda view: f"{view.scheme}-{view.device}")
def test_the_history_of_drills_as_a_file_keeps_nobody_out(chromium: Browser, view: View) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    drills = [drill(now - week * WEEK, BAD if week == 2 else GOOD) for week in (4, 2, 1)]
    page = chromium.new_page(
        color_scheme="dark" if view.scheme == "dark" else "light",
        viewport={"width": view.width, "height": view.height},
    )
    page.set_content(drill_history.page(history(drills, now, 5)))
    assert page.locator("img").evaluate("one => one.naturalWidth") > 500
    assert page.evaluate("document.documentElement.scrollWidth") <= view.width
    found = Axe().run(page, options=ONLY).response["violations"]
    assert [one["id"] for one in found if one["impact"] in GRAVE] == []
    page.close()
