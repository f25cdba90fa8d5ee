"""Pictures of the pages of a running stack: `python -m tests.browser.screenshots` → `var/screenshots/`."""

import sys
from pathlib import Path

from playwright.sync_api import Page

from api.providers.messaging.outbox import Outbox
from api.settings import StackSettings, load
from tests.browser.chromium import VIEWS, browser, executable, log_in

PAGES = {
    "home": "/",
    "login": "/login",
    "dashboard": "/app",
    "waitlist": "/app/waitlist",
    "waitlist-all": "/app/waitlist?status=all",
    "live": "/app/live",
    "chat": "/app/chat",
    "integrate": "/app/integrate",
    "webhooks": "/app/webhooks",
    "ops": "/app/ops",
    "incidents": "/app/ops/incidents",
    "ops-secrets": "/app/ops/secrets",
    "evidence": "/app/ops/evidence",
    "evidence-verified": "/app/ops/evidence?verify=true",
    "account": "/app/account",
    "outbox": "/outbox",
}

LINKED = {
    "conversation": ("/app/chat", "a[href^='/app/chat/']"),
    "person": ("/app/waitlist?status=all", "a[href^='/app/users/']"),
    "webhook-endpoint": ("/app/webhooks", "a[href*='/endpoints/whe_']"),
    "incident": ("/app/ops/incidents", "a[href^='/app/ops/incidents/inc_']"),
    "preflight": ("/app/ops", "td a[href^='/app/ops/preflights/pfl_']"),
    "preflight-decided": ("/app/ops", "h3 a[href^='/app/ops/preflights/pfl_']"),
    "drill": ("/app/ops", "a[href^='/app/ops/drills/']"),
    "evidence-record": ("/app/ops/evidence", "a[href^='/app/ops/evidence/evd_']"),
}
"""Pages of one thing: (where a link to one stands, which link). The first one is taken, if there is any."""


def addresses(page: Page, base_url: str) -> dict[str, str]:
    """All pages by name, for a page whose browser is logged in."""
    found = dict(PAGES)
    for name, (path, selector) in LINKED.items():
        page.goto(base_url + path)
        link = page.locator(selector)
        if link.count():
            found[name] = link.first.get_attribute("href") or path
    return found


def main() -> int:
    if executable() is None:
        sys.stderr.write("screenshots: no Chromium on PATH (Debian: apt-get install chromium)\n")
        return 1
    state = StackSettings.read(None).state_dir.absolute()
    env_file = state / "secrets" / "production.env"
    if not env_file.exists():
        sys.stderr.write(f"screenshots: no stack in {state}; start one with `firstuser up`\n")
        return 1
    settings = load(env_file)
    folder = state / "screenshots"
    folder.mkdir(exist_ok=True)
    outbox = Outbox(settings.service.outbox_dir)
    take(settings.platform.public_app_url, outbox, settings.platform.homepage_owner_phone, folder)
    return 0


def take(base_url: str, outbox: Outbox, phone: str, folder: Path) -> None:
    with browser() as chromium:
        page = chromium.new_page()
        cookies = log_in(page, base_url, outbox, phone)
        pages = addresses(page, base_url)
        for view in VIEWS:
            context = chromium.new_context(
                color_scheme="dark" if view.scheme == "dark" else "light",
                viewport={"width": view.width, "height": view.height},
                storage_state=cookies,
            )
            page = context.new_page()
            for name, path in pages.items():
                page.goto(base_url + path)
                file = folder / f"{name}-{view.scheme}-{view.device}.png"
                page.screenshot(path=file, full_page=True)
                print(file)
            context.close()


if __name__ == "__main__":
    sys.exit(main())
