"""Textbelt and SendGrid: what our adapters ask and what the fakes answer is as the vendors describe it."""

import json

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from api.core.errors import Rejected
from api.core.ports import OutgoingMessage
from api.providers.messaging.sendgrid import SendGrid
from api.providers.messaging.textbelt import Textbelt
from tests import carriers
from tests.carriers import SENDER, SENDGRID_KEY, TEXTBELT_KEY, Fake
from tests.contracts.vendor import Vendor, vendor

SMS = OutgoingMessage("sms", "+491701234567", "Code", "123456 is your code.")
MAIL = OutgoingMessage("email", "anna@example.com", "Code", "123456 is your code.")


@pytest.fixture(scope="module")
def textbelt() -> Vendor:
    return vendor("textbelt")


@pytest.fixture(scope="module")
def sendgrid() -> Vendor:
    return vendor("sendgrid")


def exchanges(fake: Fake) -> list[tuple[httpx.Request, httpx.Response]]:
    assert fake.asked
    return list(zip(fake.asked, fake.given, strict=True))


@pytest.mark.parametrize("phone", ["+491701234567", "+15550100001"])
def test_textbelt_is_asked_as_described(textbelt: Vendor, phone: str) -> None:
    fake = carriers.textbelt(carriers.text_refused("Out of quota", 0))
    adapter = Textbelt("https://textbelt.com", TEXTBELT_KEY, fake.transport)
    message = OutgoingMessage("sms", phone, "Code", "123456 is your code.")
    with pytest.raises(Rejected):
        adapter.send(message)
    adapter.send(message)
    for request, response in exchanges(fake):
        textbelt.check(request, response)


@pytest.mark.parametrize("sandbox", [False, True])
@pytest.mark.parametrize("sender", [SENDER, "hello@firstuser.example"])
def test_sendgrid_is_asked_as_described(sendgrid: Vendor, sandbox: bool, sender: str) -> None:
    fake = carriers.sendgrid(carriers.mail_refused(400, "invalid request"))
    adapter = SendGrid(
        "https://api.sendgrid.com", SENDGRID_KEY, sender, sandbox=sandbox, transport=fake.transport
    )
    with pytest.raises(Rejected):
        adapter.send(MAIL)
    adapter.send(MAIL)
    for request, response in exchanges(fake):
        sendgrid.check(request, response)


def test_the_comparison_finds_a_misspelt_field(textbelt: Vendor, sendgrid: Vendor) -> None:
    sent = httpx.Response(200, json={"success": True, "textId": "1"})
    fields = {"phone": "+491701234567", "message": "x", "key": "k"}
    textbelt.check(httpx.Request("POST", "https://x/text", data=fields), sent)
    with pytest.raises(OpenAPIError):
        textbelt.check(httpx.Request("POST", "https://x/text", data=fields | {"sendr": "y"}), sent)
    fake = carriers.sendgrid()
    SendGrid("https://x", SENDGRID_KEY, SENDER, transport=fake.transport).send(MAIL)
    (good,) = fake.asked
    document = json.loads(good.content) | {"sandbox": True}
    with pytest.raises(OpenAPIError):
        misspelt = httpx.Request("POST", good.url, json=document, headers={"Authorization": "Bearer x"})
        sendgrid.check(misspelt, httpx.Response(202))
