"""The widget in a real browser, on a page of another origin, with the founder in another window."""

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Frame, FrameLocator, Page, Route, expect
from sqlalchemy import text

from api.core.access.holders import Holder
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments.local.seed import partner_keys_file
from tests.browser.chromium import VIEWS, View, browser, executable, log_in
from tests.browser.partner_page import PartnerPage, partner_page
from tests.browser.test_axe import GRAVE
from tests.browser.test_pages import CONTRAST
from tests.serving import Served, serving
from tests.widgets import newcomers

LIFETIME_S = 3  # of a token: it is renewed several times while these tests look on


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def served(seeded: Settings) -> Iterator[Served]:
    service = seeded.service.model_copy(update={"widget_token_seconds": LIFETIME_S})
    with serving(replace(seeded, service=service)) as running:
        yield running


@pytest.fixture(scope="module")
def partner_key(seeded: Settings) -> tuple[str, str]:
    """(integration id, its key) of the homepage's space."""
    return next(iter(json.loads(partner_keys_file(seeded).read_text()).items()))


@pytest.fixture
def person(served: Served, partner_key: tuple[str, str]) -> Holder:
    return newcomers(served.services, partner_key[0], 1)[0]


@pytest.fixture
def stranger(served: Served, partner_key: tuple[str, str], person: Holder) -> Iterator[PartnerPage]:
    """The same page, with the same key, on an origin that nobody registered."""
    with partner_page(served.url, partner_key[1], person.external_user_id) as page:
        yield page


@pytest.fixture
def partner(served: Served, partner_key: tuple[str, str], person: Holder) -> Iterator[PartnerPage]:
    change = text("update integrations set origins = :origins where id = :id")
    with partner_page(served.url, partner_key[1], person.external_user_id) as page:
        with served.services.transaction() as session:
            session.execute(change, {"origins": [page.origin], "id": partner_key[0]})
        yield page


@pytest.fixture
def user_page(chromium: Browser, partner: PartnerPage) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(partner.origin)
    yield page
    context.close()


@pytest.fixture
def founder_page(chromium: Browser, served: Served) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    settings = served.settings
    log_in(page, served.url, Outbox(settings.service.outbox_dir), settings.platform.homepage_owner_phone)
    yield page
    context.close()


def widget(page: Page) -> FrameLocator:
    frame = page.frame_locator("#chat iframe")
    expect(frame.locator("#text")).to_be_enabled()
    return frame


def write(where: FrameLocator | Page, words: str) -> None:
    where.locator("#text").fill(words)
    where.locator("#text").press("Enter")
    expect(where.locator("#messages .sending")).to_have_count(0)


def test_a_user_and_a_founder_write_to_each_other_live(
    served: Served, partner: PartnerPage, user_page: Page, founder_page: Page
) -> None:
    frame = widget(user_page)
    assert partner.origin != served.url and partner.minted[0][0] == 200
    write(frame, "hello <img src=x onerror=document.title='taken'>")
    founder_page.goto(f"{served.url}/app/chat")
    founder_page.get_by_text(partner.user).click()
    said = founder_page.locator("#messages .user p").last
    expect(said).to_have_text("hello <img src=x onerror=document.title='taken'>")
    write(founder_page, "welcome,\nstranger")
    expect(frame.locator("#messages .founder p")).to_have_text("welcome,\nstranger")
    write(frame, "thank you")
    expect(said).to_have_text("thank you")
    for place in (frame, founder_page):
        expect(place.locator("#messages li")).to_have_count(3)
        expect(place.locator("#messages img")).to_have_count(0)
    expect(frame.locator("#name")).to_have_text("Northwind Kettle")
    assert founder_page.title().startswith("Chat") and user_page.evaluate("problems") == []


def test_tokens_are_renewed_and_nothing_is_missed(
    served: Served, partner: PartnerPage, user_page: Page, founder_page: Page
) -> None:
    frame = widget(user_page)
    write(frame, "first")
    founder_page.goto(f"{served.url}/app/chat")
    founder_page.get_by_text(partner.user).click()
    for number in range(4):
        write(founder_page, f"number {number}")
        user_page.wait_for_timeout(LIFETIME_S * 1000 / 2)
    expect(frame.locator("#messages .founder p").last).to_have_text("number 3", timeout=40_000)
    assert frame.locator("#messages .founder p").all_text_contents() == [f"number {n}" for n in range(4)]
    tokens = {body["token"] for status, body in partner.minted if status == 200}
    assert len(tokens) >= 3
    assert user_page.evaluate("problems") == []
    for place in (user_page.url, *(one.url for one in user_page.frames)):
        assert not any(token in place for token in tokens)


def test_all_that_wait_for_a_new_token_go_on_with_it(user_page: Page) -> None:
    """A message and a mark of what was read, refused at the same moment because their token has run out."""
    frame = widget(user_page)
    write(frame, "before")
    mints, refused, released = list[Route](), list[str](), Event()

    def mint(route: Route) -> None:
        if released.is_set():
            route.continue_()
        else:
            mints.append(route)

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=401, json={"detail": "expired"})

    user_page.route("**/widget-token", mint)
    for path in ("messages", "read"):
        user_page.route(f"**/api/widget/v1/chat/{path}", refuse, times=1)
    frame.locator("#text").fill("kept")
    frame.locator("#text").press("Enter")
    expect(frame.locator("#messages .sending")).to_have_count(1)
    frame.locator("body").evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    while len(refused) < 2 or not mints:
        user_page.wait_for_timeout(50)
    user_page.wait_for_timeout(100)
    released.set()
    for route in mints:
        route.continue_()
    expect(frame.locator("#messages .sending")).to_have_count(0)
    expect(frame.locator("#messages .user p").last).to_have_text("kept")


def test_an_unregistered_page_gets_no_token_and_no_frame(
    chromium: Browser, partner: PartnerPage, stranger: PartnerPage
) -> None:
    context = chromium.new_context()
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(stranger.origin)
    page.wait_for_function("problems.length > 0")
    assert stranger.minted[0][0] == 400 and stranger.minted[0][1]["code"] == "origin_not_allowed"
    assert page.locator("iframe").count() == 0
    copied = partner.mint()[1]["frame_url"]
    own = copied.replace(quote(partner.origin, safe=""), quote(stranger.origin, safe=""))
    assert own != copied
    for address in (copied, own):
        page.evaluate(
            "src => document.body.append(Object.assign(document.createElement('iframe'), {src}))", address
        )
    page.wait_for_timeout(1000)
    assert len(page.frames) == 3
    assert [frame.locator("#say").count() for frame in page.frames[1:]] == [0, 0]
    assert sum("frame-ancestors" in said for said in complaints) >= 2, complaints
    context.close()


def test_messages_that_only_pretend_are_ignored(
    served: Served, partner: PartnerPage, user_page: Page
) -> None:
    frame = widget(user_page)
    sent: list[str] = []
    user_page.on("request", lambda request: sent.append(request.headers.get("authorization", "")))
    height = "document.querySelector('#chat iframe').getBoundingClientRect().height"
    before, minted = user_page.evaluate(height), len(partner.minted)
    user_page.evaluate(
        "postMessage({firstuser: 1, type: 'size', height: 600}, '*');"
        "for (let n = 0; n < 20; n += 1) postMessage({firstuser: 1, type: 'refresh'}, '*')"
    )
    forged = partner.minted[0][1]["token"].rpartition(".")[0] + ".forged"
    given = {"said": {"firstuser": 1, "type": "token", "token": forged}, "home": served.url}
    user_page.evaluate(  # a frame beside ours, of the partner's own origin, is not the page around ours
        """({said, home}) => {
          const other = document.body.appendChild(document.createElement("iframe"));
          other.contentWindow.eval(`parent.frames[0].postMessage(${JSON.stringify(said)}, "${home}")`);
        }""",
        given,
    )
    user_page.wait_for_timeout(300)
    assert user_page.evaluate(height) == before
    assert len(partner.minted) <= minted + 1  # one may just have been due
    write(frame, "still here")
    said = frame.locator("#messages .user:not(.sending) p")
    expect(said).to_have_text("still here")
    assert sent and not any("forged" in one for one in sent)
    # The same from the page around it is believed, refused by the server, and renewed.
    user_page.evaluate("({said, home}) => frames[0].postMessage(said, home)", given)
    write(frame, "again")
    expect(said.last).to_have_text("again")
    assert any("forged" in one for one in sent)


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[3]], ids=lambda view: f"{view.scheme}-{view.device}")
def test_frame_and_thread_can_be_read(
    chromium: Browser, served: Served, partner: PartnerPage, founder_page: Page, view: View
) -> None:
    context = chromium.new_context(
        color_scheme="dark" if view.scheme == "dark" else "light",
        viewport={"width": view.width, "height": view.height},
        storage_state=founder_page.context.storage_state(),
    )
    page, thread = context.new_page(), context.new_page()
    page.goto(partner.origin)
    write(widget(page), "a word and " + "another " * 40)
    thread.goto(f"{served.url}/app/chat")
    thread.get_by_text(partner.user).click()
    write(thread, "an answer")
    expect(widget(page).locator("#messages .founder")).to_have_count(1)
    for place in (page.frames[1], thread.main_frame):
        ratio, where = place.evaluate(CONTRAST)
        assert ratio >= 4.5, where
        assert place.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert grave(place) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def grave(place: Frame) -> list[str]:
    """What axe-core finds there that keeps somebody out."""
    place.evaluate(Axe().axe_script)
    found = place.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in GRAVE]
