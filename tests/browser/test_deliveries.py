"""The pages of deliveries with something on them, at both widths: what failed, sent again by a click."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from api.core.crypto import Vault, data_keys
from api.core.webhooks import settling
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.outbox import publish
from api.db.engine import make_engine, session_scope
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.api.core.webhooks.places import claim, tried
from tests.browser.chromium import VIEWS, browser, log_in
from tests.product import SLUG

DOWN = Attempt(Failure.REFUSED, 500, 12, "<b>" + "down " * 200 + "</b>", "127.0.0.1")


@pytest.fixture
def failed(site: Settings) -> None:
    engine = make_engine(site.platform.database_url.get_secret_value())
    vault = Vault(data_keys(site.service.data_key.get_secret_value()))
    with session_scope(engine) as session:
        integration = session.execute(
            text(
                "update integrations set webhook_url = 'https://partner.example/' || repeat('long', 60)"
                " where id = (select i.id from integrations i join spaces s on s.id = space_id"
                " where slug = :s order by i.created_at, i.id limit 1) returning id"
            ),
            {"s": SLUG},
        ).scalar_one()
        now = datetime.now(UTC)
        for _ in range(3):
            publish(session, integration, "webhook.test", {"a": "b" * 300}, now)
        settling.settle(session, [tried(one, DOWN, now) for one in claim(session, vault, now)], now)
    engine.dispose()


def test_what_failed_is_seen_and_sent_again(site: Settings, failed: None) -> None:
    url, outbox = site.platform.public_app_url, Outbox(site.service.outbox_dir)
    with browser() as opened:
        cookies = log_in(opened.new_page(), url, outbox, site.platform.homepage_owner_phone)
        for view in (VIEWS[0], VIEWS[3]):
            context = opened.new_context(
                viewport={"width": view.width, "height": view.height}, storage_state=cookies
            )
            page = context.new_page()
            page.goto(f"{url}/app/webhooks")
            page.locator("a[href*='/endpoints/whe_']", has_text="partner.example").click()
            assert page.evaluate("document.documentElement.scrollWidth") <= view.width
            page.locator("a[href*='/deliveries/dlv_']").first.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= view.width
            assert "Answered 500" in page.inner_text("main") and "<b>down" in page.inner_text("main")
            page.get_by_role("button", name="Send again now").click()
            page.wait_for_selector("text=Next attempt")
            context.close()
