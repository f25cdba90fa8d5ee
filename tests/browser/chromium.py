"""A headless Chromium of the machine's own, both colour schemes, two widths, and a login as people do it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

from api.providers.messaging.outbox import Outbox
from tests.inbox import code_sent

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # it visits nothing but our own pages, often as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class View:
    scheme: str
    device: str
    width: int
    height: int


expect.set_options(timeout=20_000)  # a busy machine is slow and not wrong

VIEWS = [
    View(scheme, device, width, height)
    for scheme in ("light", "dark")
    for device, width, height in (("desktop", 1280, 900), ("phone", 390, 844))
]


def executable() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Its profile is a folder of its own, gone afterwards."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable(), headless=True, args=FLAGS)
        yield opened
        opened.close()


def log_in(page: Page, base_url: str, outbox: Outbox, phone: str) -> StorageState:
    """Through the pages; the code is read from the outbox. Returns the cookies for other windows."""
    asked_at = datetime.now(UTC)
    page.goto(f"{base_url}/login")
    page.fill("#identifier", phone)
    page.click("main button[type=submit]")
    page.wait_for_selector("#code")
    page.fill("#code", code_sent(outbox, phone, asked_at))
    page.click("main button[type=submit]")
    page.wait_for_url("**/app")
    return page.context.storage_state()
