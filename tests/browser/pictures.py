"""The pictures of the README, made anew from a stack that has seen a drill and a preflight, with traffic:

    firstuser up && firstuser drill && firstuser preflight
    python -m tests.browser.pictures → docs/pictures/*.png

For the time it takes, the first integration's webhooks go to a receiver of its own."""

import base64
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.history import WEEK, history
from api.core.errors import NotFound
from api.providers.messaging.outbox import Outbox
from deployments.local import traffic
from deployments.local.stack import Stack, open_stack
from flows import drill_history, wiring
from tests.browser.chromium import browser, executable, log_in
from tests.receiver import Receiver, receiving

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
PAGES = {"dashboard": "/app", "waitlist": "/app/waitlist", "ops": "/app/ops"}
LINKED = {
    "webhooks": ("/app/webhooks", "a[href*='/endpoints/whe_']"),
    "drill": ("/app/ops", "a[href^='/app/ops/drills/']"),
    "preflight": ("/app/ops", "a[href^='/app/ops/preflights/pfl_']"),
}
RATE, MOST_LIVE = 12.0, 40
TRAFFIC_S, FAILING_S = 75.0, 4.0
"""Longer than a minute, so that the minute's sample of who is live is taken meanwhile."""
DRAWN_MS = 3_000
"""Prefect draws the graph of a run when everything has been loaded."""
WEEKS = 26
_WIDTH, _HEIGHT, _COLOURS = 1200, 800, 64


def take(stack: Stack, folder: Path) -> Iterator[Path]:
    base_url = stack.ports.url("api")
    outbox = Outbox(stack.settings.service.outbox_dir)
    with browser() as chromium, receiving() as receiver:
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        log_in(page, base_url, outbox, stack.settings.platform.homepage_owner_phone)
        with webhooks_to(page, base_url, receiver):
            busy(stack, receiver)
            for name, path in PAGES.items():
                page.goto(base_url + path)
                yield kept(page.screenshot(), folder / f"{name}.png")
            for name, (path, selector) in LINKED.items():
                page.goto(base_url + path)
                page.goto(base_url + str(page.locator(selector).first.get_attribute("href")))
                yield kept(page.screenshot(), folder / f"{name}.png")
        page.goto(base_url + "/app/ops")
        page.goto(base_url + str(page.locator(LINKED["drill"][1]).first.get_attribute("href")))
        run = str(page.locator("a:text('flow run')").get_attribute("href"))
        yield kept(prefect(chromium, stack, run), folder / "prefect-run.png")
    yield kept(history_plot(), folder / "drill-history.png")


@contextmanager
def webhooks_to(page: Page, base_url: str, receiver: Receiver) -> Iterator[None]:
    page.goto(base_url + "/app/integrate")
    form = page.locator("form[action$='/webhook']").first
    action, before = form.get_attribute("action"), form.locator("[name=address]").input_value()

    def send_to(address: str) -> None:
        answer = page.request.post(
            f"{base_url}{action}", form={"address": address}, headers={"Origin": base_url}
        )
        if not answer.ok:
            raise SystemExit(f"the webhook's address was refused: {answer.status}")

    send_to(receiver.url)
    try:
        yield
    finally:
        send_to(before)


def busy(stack: Stack, receiver: Receiver) -> None:
    """People join and come; at the end the partner's side fails for a moment."""
    stop, made = threading.Event(), traffic.make(stack.settings, stack.ports.url("api"))
    for partner in made._partners:  # pyright: ignore[reportPrivateUsage]
        del partner.users[MOST_LIVE:]  # as many as the seeded days have had
    thread = threading.Thread(target=traffic.run, args=(made, RATE, TRAFFIC_S, stop))
    thread.start()
    time.sleep(TRAFFIC_S - FAILING_S)
    receiver.answer.status = 500
    thread.join()


def prefect(chromium: Browser, stack: Stack, address: str) -> bytes:
    """The artifacts of a run in Prefect's own pages."""
    login = base64.b64encode(stack.state.prefect_login.read_text().strip().encode()).decode()
    page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT + 240})
    page.add_init_script(f"localStorage.setItem('prefect-password', '{login}')")
    page.goto(address)
    page.get_by_text("Artifacts", exact=True).click()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(DRAWN_MS)
    return page.screenshot()


def history_plot() -> bytes:
    now = system_clock()
    with wiring.transaction() as session:
        return drill_history.plot(history(service.since(session, now - WEEKS * WEEK), now, WEEKS), "png")


def kept(picture: bytes, file: Path) -> Path:
    """With few colours: pages have no more."""
    with Image.open(io.BytesIO(picture)) as opened:
        opened.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    return file


def main() -> int:
    if executable() is None:
        sys.stderr.write("pictures: no Chromium on PATH (Debian: apt-get install chromium)\n")
        return 1
    try:
        stack = open_stack()
    except NotFound as missing:
        sys.stderr.write(f"pictures: {missing}\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for file in take(stack, FOLDER):
        print(f"{os.path.relpath(file)}  {file.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
