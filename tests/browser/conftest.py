from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from time import sleep

import pytest
import uvicorn
from playwright.sync_api import Browser, StorageState

from api.app import create_app
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments.bench.places import free_port
from tests.browser.chromium import browser, executable, log_in
from tests.product import seeded

__all__ = ["seeded"]


@pytest.fixture(scope="session")
def site(seeded: Settings) -> Iterator[Settings]:
    """The application served for real; `platform.public_app_url` is its address."""
    if executable() is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    port = free_port()
    platform = seeded.platform.model_copy(update={"public_app_url": f"http://127.0.0.1:{port}"})
    settings = replace(seeded, platform=platform)
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        sleep(0.05)
    yield settings
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def chromium(site: Settings) -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def cookies(chromium: Browser, site: Settings) -> StorageState:
    """A login through the pages: both forms, the code from the outbox, the cookie."""
    outbox = Outbox(site.service.outbox_dir)
    page = chromium.new_page()
    return log_in(page, site.platform.public_app_url, outbox, site.platform.homepage_owner_phone)
