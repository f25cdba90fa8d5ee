"""Every channel keeps the same promises."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.core.alerts.messages import AlertMessage, Throttled
from api.core.alerts.rules import Kind
from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable
from api.providers import alerting
from api.providers.alerting.discord import Discord
from api.providers.alerting.local import Local
from api.settings.alerts import AlertSettings
from api.settings.platform import PlatformSettings
from api.settings.service import ServiceSettings
from tests.alert_channels import DISCORD, GENERIC, ID, SLACK, fake, status
from tests.carriers import Answer, broken

URLS = {"slack": SLACK, "discord": DISCORD, "json": GENERIC}
SECRETS = ("s3cr3tTokenOfSlack", "d1scord-S3cret_Token", "s3cretpath", "s3cretquery", "B0456EFGH")
MOMENT = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
MESSAGE = AlertMessage(
    "alm_1",
    "production|retries_exhausted|we_1|int_1",
    Kind.FIRING,
    "error",
    "Webhook retries exhausted",
    "@everyone & <!channel> [click](https://evil.example)",
    MOMENT,
    {"integration_app_id": "int_1", "delivery_id": "dlv_1", "attempt": "10", "status": "500"},
    "https://docs.example/alert.md",
    "https://app.example/ack/abc",
)
ANSWERS: dict[str, tuple[Answer, type[ProviderError]]] = {
    "429": (status(429, "rate_limited", **{"Retry-After": "7"}), Throttled),
    "500": (status(500, "rollup_error"), Unavailable),
    "503": (status(503), Unavailable),
    "400": (status(400, "invalid_payload"), Rejected),
    "403": (status(403, "invalid_token"), Rejected),
    "404": (status(404, "no_service"), Rejected),
    "410": (status(410, "channel_is_archived"), Rejected),
    "302": (status(302, Location="https://elsewhere.example"), Rejected),
    "no connection": (broken(httpx.ConnectError), Unavailable),
    "no answer": (broken(httpx.ReadTimeout), TimedOut),
    "half an answer": (broken(httpx.RemoteProtocolError), TimedOut),
}


@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize("kind", URLS)
def test_the_error_says_whether_to_retry_and_not_where(
    kind: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer, expected = ANSWERS[case]

    def talkative(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        return httpx.Response(
            response.status_code, text=f"{response.text} {request.url}", headers=response.headers
        )

    for said in (answer, talkative):
        channel = alerting.channel(URLS[kind], fake(kind, said).transport)
        assert channel.kind == kind
        with pytest.raises(expected) as caught:
            channel.send(MESSAGE)
        assert caught.value.retryable is (expected is not Rejected)
        seen = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caplog.text} {channel!r}"
        assert not [secret for secret in SECRETS if secret in seen]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("1.5", 1.5), ("soon", 1), ("-3", 1), ("nan", 1), ("inf", 1), ("99999", 3600)],
)
def test_retry_after_is_believed_within_reason(header: str, seconds: float) -> None:
    channel = alerting.channel(SLACK, fake("slack", status(429, **{"Retry-After": header})).transport)
    with pytest.raises(Throttled) as caught:
        channel.send(MESSAGE)
    assert caught.value.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("kind", URLS)
def test_all_of_it_arrives_and_nothing_in_it_acts(kind: str) -> None:
    vendor = fake(kind)
    alerting.channel(URLS[kind], vendor.transport).send(MESSAGE)
    (request,) = vendor.asked
    said = request.content.decode()
    for part in ("retries exhausted", "dlv", "500", MESSAGE.ack_url, MESSAGE.runbook):
        assert part in said
    document: Any = json.loads(request.content)
    if kind == "slack":
        assert "<!channel>" not in said and "&lt;!channel&gt;" in said
        assert len(document["blocks"]) <= 50
    if kind == "discord":
        assert document["allowed_mentions"] == {"parse": []}
        assert request.url.params["wait"] == "true"
        assert "[click](" not in document["embeds"][0]["description"]
    if kind == "json":
        assert document["key"] == MESSAGE.key and document["metadata"] == MESSAGE.metadata
        assert request.headers["Idempotency-Key"] == MESSAGE.id


def test_limits_are_kept_however_long_it_is() -> None:
    long = AlertMessage(
        "alm_2",
        "k",
        Kind.FIRING,
        "critical",
        "<&>*_" * 300,
        "<&>*_ " * 9000,
        MOMENT,
        {f"{number}" * 400: "*&" * 3000 for number in range(10, 60)},
        "https://docs.example/alert.md",
        "https://app.example/ack/abc",
    )
    slack, discord = fake("slack"), fake("discord")
    alerting.channel(SLACK, slack.transport).send(long)
    blocks = json.loads(slack.asked[0].content)["blocks"]
    assert len(blocks) <= 50 and len(blocks[0]["text"]["text"]) <= 150
    assert "ack/abc" in blocks[-1]["text"]["text"]
    for block in blocks[1:]:
        assert len(block.get("text", {"text": ""})["text"]) <= 3000
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
    alerting.channel(DISCORD, discord.transport).send(long)
    (embed,) = json.loads(discord.asked[0].content)["embeds"]
    assert len(embed["title"]) <= 256 and len(embed["description"]) <= 4096 and len(embed["fields"]) <= 25
    assert embed["fields"][-1]["value"] == "https://app.example/ack/abc"
    sizes = [len(field["name"]) + len(field["value"]) for field in embed["fields"]]
    assert len(embed["title"]) + len(embed["description"]) + sum(sizes) <= 6000


def test_discord_says_whether_the_message_is_there() -> None:
    vendor = fake("discord")
    channel = alerting.channel(DISCORD, vendor.transport)
    assert channel.send(MESSAGE) == ID
    assert channel.read_back(ID) is True
    assert vendor.asked[-1].url.path.endswith(f"/messages/{ID}")
    vendor.answers.append(status(404))
    assert channel.read_back(ID) is False


def test_the_local_channel_is_the_outbox(tmp_path: Path) -> None:
    channel = Local(tmp_path / "outbox")
    sent_id = channel.send(MESSAGE)
    assert channel.read_back(sent_id) is True and channel.read_back("msg_other") is False
    (path,) = (tmp_path / "outbox").glob("*.json")
    stored = json.loads(path.read_text())
    assert stored["channel"] == "alert" and MESSAGE.ack_url in stored["body"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (SLACK, "slack"),
        ("https://hooks.slack-gov.com/services/T1/B1/x", "slack"),
        (DISCORD, "discord"),
        ("https://ptb.discord.com/api/webhooks/1/x?thread_id=5", "discord"),
        ("https://discord.com.evil.example/api/webhooks/1/x", "json"),
        ("https://pager.example/hooks.slack.com", "json"),
    ],
)
def test_the_address_says_what_it_is(url: str, kind: str) -> None:
    assert alerting.recognise(url) == kind


def test_a_restored_copy_pages_nobody(tmp_path: Path) -> None:
    platform = PlatformSettings.read(None, ops_alert_webhook_url=SecretStr(SLACK))
    alerts = AlertSettings.read(None, alert_fallback_url=SecretStr(DISCORD))
    service = ServiceSettings.read(None, outbox_dir=tmp_path)
    chosen = alerting.channels(platform, alerts, service)
    assert {name: one.kind for name, one in chosen.items()} == {"primary": "slack", "fallback": "discord"}
    copy = service.model_copy(update={"restored_copy": "drill-1"})
    assert {name: one.kind for name, one in alerting.channels(platform, alerts, copy).items()} == {
        "primary": "local"
    }


@pytest.mark.parametrize(("answer", "ok"), [(200, True), (404, False)])
def test_discord_is_asked_whether_the_webhook_is_there(answer: int, ok: bool) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(answer, json={"id": "1", "type": 1})

    (found,) = Discord(DISCORD, httpx.MockTransport(handle)).check_access()
    assert found.ok is ok and asked == ["GET"]
    assert DISCORD.rpartition("/")[2] not in f"{found}"
