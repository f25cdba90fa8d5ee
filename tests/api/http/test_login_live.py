"""Login where codes go out by real carriers: here by fakes of them, told apart from the outbox by the app."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.core.founders import service as founders
from api.core.founders.limits import Limits
from api.providers.messaging.live import Live
from api.providers.messaging.sendgrid import SendGrid
from api.providers.messaging.textbelt import Textbelt
from api.settings import Settings
from tests import carriers
from tests.carriers import SENDER, SENDGRID_KEY, TEXTBELT_KEY, Fake
from tests.product import BASE_URL
from tests.receiver import Answer, Receiver

PHONE, EMAIL = "+12025550123", "mara@example.com"
NOT_ALLOWED = "+12025550124"
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Site:
    """The application, its carriers, and a count of networks so that each visitor may have one."""

    app: FastAPI
    sms: Fake
    mail: Fake

    def browser(self, ip: str = "198.51.100.1") -> TestClient:
        return TestClient(
            self.app, base_url=BASE_URL, headers={"Origin": BASE_URL}, client=(ip, 1), follow_redirects=False
        )

    def codes(self) -> list[str]:
        """Those that went out by SMS."""
        return [parse_qs(request.content.decode())["message"][0][:6] for request in self.sms.asked]

    def rows(self) -> list[tuple[Any, ...]]:
        """(channel, sent_at, ip_index) of every code, the newest first."""
        query = text("select channel, sent_at, ip_index from login_codes order by created_at desc")
        with self.app.state.services.transaction() as session:
            return [tuple(row) for row in session.execute(query)]


@pytest.fixture(scope="module")
def live_app(seeded: Settings) -> FastAPI:
    """A founder with a mobile phone and an e-mail address, and one whom FOUNDER_PHONES does not name."""
    phones = f"{seeded.platform.founder_phones},{PHONE}"
    platform = seeded.platform.model_copy(update={"founder_phones": phones})
    app = create_app(replace(seeded, platform=platform))
    at = app.state.services
    with at.transaction() as session:
        founders.add(session, at.vault, "Mara Live", PHONE, EMAIL, datetime.now(UTC))
        founders.add(session, at.vault, "Not Allowed", NOT_ALLOWED, "no@example.com", datetime.now(UTC))
    return app


@pytest.fixture
def site(live_app: FastAPI) -> Iterator[Site]:
    sms, mail = carriers.textbelt(), carriers.sendgrid()
    sends = {
        "sms": Textbelt("https://textbelt.example", TEXTBELT_KEY, sms.transport),
        "email": SendGrid("https://sendgrid.example", SENDGRID_KEY, SENDER, transport=mail.transport),
    }
    before = live_app.state.services
    live_app.state.services = replace(before, messenger=Live(sends))
    forget_codes(live_app)
    yield Site(live_app, sms, mail)
    live_app.state.services = before


def forget_codes(app: FastAPI) -> None:
    """No limit counts what other tests asked for."""
    with app.state.services.transaction() as session:
        session.execute(text("delete from login_codes"))


def ask(client: TestClient, **who: str) -> httpx.Response:
    return client.post("/auth/otp/start", json=who)


def test_a_founder_gets_an_sms_and_in(site: Site) -> None:
    client = site.browser()
    assert ask(client, phone=PHONE).status_code == 202
    (code,) = site.codes()
    assert client.post("/auth/otp/verify", json={"code": code}).status_code == 200
    assert client.get("/app").status_code == 200
    ((channel, sent_at, ip_index),) = site.rows()
    assert channel == "sms" and sent_at and b"198.51" not in bytes(ip_index)


def test_or_an_email(site: Site) -> None:
    client = site.browser()
    assert ask(client, email="Mara@Example.com").status_code == 202
    assert site.sms.asked == [] and EMAIL.encode() in site.mail.asked[0].content
    code = httpx.Response(200, content=site.mail.asked[0].content).json()["content"][0]["value"][:6]
    assert client.post("/auth/otp/verify", json={"code": code}).status_code == 200


@pytest.mark.parametrize(
    "who", [{"phone": NOT_ALLOWED}, {"email": "no@example.com"}, {"phone": "+12025550125"}]
)
def test_nobody_else_gets_anything_and_cannot_tell(site: Site, who: dict[str, str]) -> None:
    known, other = ask(site.browser(), phone=PHONE), ask(site.browser(), **who)
    assert (known.status_code, known.content) == (other.status_code, other.content)
    assert len(site.sms.asked) == 1 and site.mail.asked == []
    assert [row[0] for row in site.rows()] == [None, "sms"]


def test_a_carrier_that_fails_shows_to_nobody(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.sms.answers.append(carriers.text_refused(f"Invalid phone {PHONE}", 0))
    answer = ask(site.browser(), phone=PHONE)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert [row[:2] for row in site.rows()] == [("sms", None)]
    said = capsys.readouterr().out
    assert "code not sent" in said and "Invalid phone •••" in said
    assert not [secret for secret in (PHONE, TEXTBELT_KEY, site.codes()[0]) if secret in said]


@pytest.mark.parametrize("number", ["+19005551234", "+4930123456", "+870772001234", "+15550100001"])
def test_numbers_that_cost_are_refused_whoever_they_are(site: Site, number: str) -> None:
    answer = ask(site.browser(), phone=number)
    assert (answer.status_code, answer.json()["code"]) == (422, "phone_not_served")
    page = site.browser().post("/auth/otp/start", data={"identifier": number})
    assert page.status_code == 422 and "mobile phone" in page.text
    assert site.sms.asked == [] and site.rows() == []


def test_a_flood_of_one_phone_ends_after_five(site: Site) -> None:
    for number in range(LIMITS.codes + 2):
        assert ask(site.browser(f"198.51.100.{number}"), phone=PHONE).status_code == 202
    assert len(site.sms.asked) == LIMITS.codes


def test_a_flood_out_of_one_network_ends_after_twenty(site: Site) -> None:
    for number in range(LIMITS.codes_of_network):
        ask(site.browser(), email=f"stranger{number}@example.com")
    assert ask(site.browser(), phone=PHONE).status_code == 202
    assert site.sms.asked == []
    assert ask(site.browser("198.51.100.9"), phone=PHONE).status_code == 202
    assert len(site.sms.asked) == 1


def test_a_claimed_address_does_not_help(site: Site) -> None:
    for number in range(LIMITS.codes_of_network):
        client = site.browser()
        client.headers["X-Forwarded-For"] = f"203.0.113.{number}"
        ask(client, email=f"stranger{number}@example.com")
    ask(site.browser(), phone=PHONE)
    assert site.sms.asked == []


def test_by_settings_alone_codes_go_to_a_server_on_this_machine(live_app: FastAPI) -> None:
    """The carriers' addresses are settings: behind them stands a server of the test's own."""
    forget_codes(live_app)
    settings = live_app.state.services.settings
    keys = {"textbelt_api_key": SecretStr(TEXTBELT_KEY), "sendgrid_api_key": SecretStr(SENDGRID_KEY)}
    with closing(Receiver()) as fake:
        fake.answer = Answer(body=b'{"success": true, "textId": "1", "quotaRemaining": 9}')
        here = fake.url.removesuffix("/hooks")
        urls = {"textbelt_url": here, "sendgrid_url": here}
        app = create_app(
            replace(
                settings,
                service=settings.service.model_copy(update={"outbound": "live"}),
                platform=settings.platform.model_copy(update={**keys, "email_from": SENDER}),
                messaging=settings.messaging.model_copy(update=urls),
            )
        )
        with TestClient(app, base_url=BASE_URL, headers={"Origin": BASE_URL}) as client:
            assert ask(client, phone=PHONE).status_code == 202
            code = parse_qs(fake.received[0].body.decode())["message"][0][:6]
            assert fake.received[0].path == "/text"
            assert client.post("/auth/otp/verify", json={"code": code}).status_code == 200
            assert client.get("/outbox").status_code == 404
