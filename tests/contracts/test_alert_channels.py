"""Slack and Discord: what our adapters ask and what the fakes answer is as the vendors describe it."""

from datetime import UTC, datetime

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from api.core.alerts.messages import AlertMessage
from api.core.alerts.rules import Kind
from api.core.errors import Rejected
from api.providers.alerting.discord import Discord
from api.providers.alerting.slack import Slack
from tests.alert_channels import DISCORD, SLACK, fake, status
from tests.contracts.vendor import Vendor, vendor

MOMENT = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
SHORT = AlertMessage("alm_1", "production|test||", Kind.FIRING, "info", "Test", "It is <so> & so.", MOMENT)
LONG = AlertMessage(
    "alm_2",
    "production|retries_exhausted|we_1|int_1",
    Kind.RESOLVED,
    "critical",
    "<&>" * 400,
    "a & b < c > d\n" * 20_000,
    MOMENT,
    metadata={f"fact {number}" + "n" * 300: "<&>*" * 2000 for number in range(60)},
    runbook="https://docs.example/alert.md",
    ack_url="https://app.example/ack/abc",
    earlier="1150000000000000000",
)
EMPTY = AlertMessage("alm_3", "production|test||", Kind.REPEAT, "warning", "", "", MOMENT, {"scope": ""})


@pytest.fixture(scope="module")
def slack() -> Vendor:
    return vendor("slack-webhook")


@pytest.fixture(scope="module")
def discord() -> Vendor:
    return vendor("discord")


@pytest.mark.parametrize("message", [SHORT, LONG, EMPTY], ids=["short", "long", "empty"])
def test_slack_is_asked_as_described(slack: Vendor, message: AlertMessage) -> None:
    channel = fake("slack", status(404, "no_service"))
    adapter = Slack(SLACK, channel.transport)
    with pytest.raises(Rejected):
        adapter.send(message)
    adapter.send(message)
    for request, response in zip(channel.asked, channel.given, strict=True):
        slack.check(request, response)


@pytest.mark.parametrize("message", [SHORT, LONG, EMPTY], ids=["short", "long", "empty"])
def test_discord_is_asked_as_described(discord: Vendor, message: AlertMessage) -> None:
    channel = fake("discord")
    adapter = Discord(DISCORD, channel.transport)
    sent_id = adapter.send(message)
    assert adapter.read_back(sent_id) is True
    methods = [request.method for request in channel.asked]
    assert methods == (["POST", "PATCH", "GET"] if message.earlier else ["POST", "GET"])
    for request, response in zip(channel.asked, channel.given, strict=True):
        discord.check(request, response)


def test_the_comparison_finds_a_misspelt_field(slack: Vendor) -> None:
    with pytest.raises(OpenAPIError):
        slack.check(httpx.Request("POST", SLACK, json={"txt": "x"}), httpx.Response(200, text="ok"))
