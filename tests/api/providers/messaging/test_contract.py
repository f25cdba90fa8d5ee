"""Every messenger: a message is handed over once, errors say whether to retry and nothing else."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from api.core.errors import FirstUserError, Refused, Rejected, TimedOut, Unavailable
from api.core.ports import Messenger, OutgoingMessage
from api.providers.messaging import messenger
from api.providers.messaging.live import Live
from api.providers.messaging.outbox import Outbox
from api.providers.messaging.sendgrid import SendGrid
from api.providers.messaging.textbelt import Textbelt
from api.settings import Settings, load
from tests import carriers
from tests.carriers import SENDER, SENDGRID_KEY, TEXTBELT_KEY, Answer, Fake, broken

CODE = "271828"
PHONE, EMAIL = "+491701234567", "anna.schmidt@example.com"
SMS = OutgoingMessage("sms", PHONE, "Your code", f"{CODE} is your code.")
MAIL = OutgoingMessage("email", EMAIL, "Your code", f"{CODE} is your code.")
PLANTED = (CODE, PHONE, PHONE[1:], EMAIL, TEXTBELT_KEY, SENDGRID_KEY)


@dataclass(frozen=True, slots=True)
class Case:
    messenger: Messenger
    message: OutgoingMessage
    fake: Fake


def textbelt(*answers: Answer) -> Case:
    fake = carriers.textbelt(*answers)
    return Case(Textbelt("https://textbelt.example", TEXTBELT_KEY, fake.transport), SMS, fake)


def sendgrid(*answers: Answer) -> Case:
    fake = carriers.sendgrid(*answers)
    made = SendGrid("https://sendgrid.example", SENDGRID_KEY, SENDER, transport=fake.transport)
    return Case(made, MAIL, fake)


def live(*answers: Answer) -> Case:
    case = textbelt(*answers)
    return Case(Live({"sms": case.messenger}), SMS, case.fake)


CARRIERS: list[Callable[..., Case]] = [textbelt, sendgrid, live]


def sent(case: Case) -> list[httpx.Request]:
    return case.fake.asked


@pytest.mark.parametrize("make", CARRIERS)
def test_a_message_is_handed_over_once_and_has_an_id(make: Callable[..., Case]) -> None:
    case = make()
    assert case.messenger.send(case.message)
    (request,) = sent(case)
    assert request.url.scheme == "https" and CODE not in str(request.url)


def test_the_outbox_keeps_the_contract_too(tmp_path: Path) -> None:
    outbox: Messenger = Outbox(tmp_path)
    assert outbox.send(SMS) and outbox.send(MAIL)


def answering(status: int) -> Answer:
    """As a careless vendor would: what it was told comes back."""
    return lambda request: httpx.Response(
        status,
        text=f"+49 170 123-4567 {EMAIL} {CODE} {request.headers.get('authorization')} {request.content!r}",
    )


@pytest.mark.parametrize("make", CARRIERS)
@pytest.mark.parametrize(
    ("answer", "kind", "times"),
    [
        (broken(httpx.ConnectError), Unavailable, 2),
        (broken(httpx.ConnectTimeout), Unavailable, 2),
        (broken(httpx.ReadTimeout), TimedOut, 1),
        (broken(httpx.WriteError), TimedOut, 1),
        (broken(httpx.RemoteProtocolError), TimedOut, 1),
        (answering(429), Unavailable, 1),
        (answering(503), Unavailable, 1),
        (answering(500), TimedOut, 1),
        (answering(302), Rejected, 1),
        (answering(400), Rejected, 1),
        (answering(401), Rejected, 1),
    ],
)
def test_a_failure_is_typed_silent_and_retried_only_before_anything_was_said(
    make: Callable[..., Case],
    answer: Answer,
    kind: type[FirstUserError],
    times: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    case = make(answer, answer)
    with pytest.raises(kind) as failure:
        case.messenger.send(case.message)
    assert len(sent(case)) == times
    assert failure.value.retryable is (kind is not Rejected)
    said = "".join(traceback.format_exception(failure.value)) + caplog.text
    assert not [planted for planted in PLANTED if planted in said]
    assert "170 123" not in said


@pytest.mark.parametrize("make", CARRIERS)
def test_a_connection_that_comes_at_the_second_try_sends_once(make: Callable[..., Case]) -> None:
    case = make(broken(httpx.ConnectError))
    assert case.messenger.send(case.message)


@pytest.mark.parametrize("make", CARRIERS)
def test_another_channel_is_refused(make: Callable[..., Case]) -> None:
    case = make()
    with pytest.raises(Refused):
        case.messenger.send(OutgoingMessage("pigeon", "x", "x", "x"))
    assert sent(case) == []


def test_textbelt_says_no_with_a_good_status() -> None:
    case = textbelt(carriers.text_refused(f"Out of quota for {PHONE}", 0))
    with pytest.raises(Rejected) as refused:
        case.messenger.send(SMS)
    assert "Out of quota for •••" in str(refused.value) and "textbelt.com" in refused.value.fix


def test_an_answer_that_is_none_leaves_open_what_happened() -> None:
    for body in (b"<html>", b"[]", b"\xff"):
        case = textbelt(lambda _, body=body: httpx.Response(200, content=body))
        with pytest.raises(TimedOut):
            case.messenger.send(SMS)


def test_little_quota_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answer = {"success": True, "quotaRemaining": 3, "textId": "1"}
    assert textbelt(lambda _: httpx.Response(200, json=answer)).messenger.send(SMS) == "1"


def test_sendgrid_in_its_sandbox_sends_nothing() -> None:
    fake = carriers.sendgrid()
    made = SendGrid("https://sendgrid.example", SENDGRID_KEY, SENDER, sandbox=True, transport=fake.transport)
    assert made.send(MAIL) == "sandbox"
    assert b'"sandbox_mode":{"enable":true}' in fake.asked[0].content


def settings(outbound: str, **platform: object) -> Settings:
    loaded = load()
    service = loaded.service.model_copy(update={"outbound": outbound})
    return replace(loaded, service=service, platform=loaded.platform.model_copy(update=platform))


def test_live_goes_by_channel_and_needs_both_keys() -> None:
    keys = {"textbelt_api_key": SecretStr("a"), "sendgrid_api_key": SecretStr("b"), "email_from": SENDER}
    assert messenger(settings("live", **keys)).name == "live"
    for missing, value in keys.items():
        with pytest.raises(Refused):
            messenger(settings("live", **(keys | {missing: type(value)("")})))


def test_carriers_say_what_their_keys_may_do_and_send_nothing() -> None:
    texts, mails = carriers.textbelt(), carriers.sendgrid(scopes("mail.send"), scopes("mail.send"))
    found = Live(
        {
            "sms": Textbelt("https://t", "a-real-key", texts.transport),
            "email": SendGrid("https://s", SENDGRID_KEY, SENDER, transport=mails.transport),
        }
    ).check_access()
    assert len(found) == 3 and all(one.ok for one in found)
    assert b"key=a-real-key_test" in texts.asked[0].content, "what is neither sent nor charged"
    assert "a-real-key" not in str(texts.asked[0].url)
    assert {request.method for request in mails.asked} == {"GET"}


def test_a_key_that_may_not_send_says_which_scope_it_lacks() -> None:
    mails = carriers.sendgrid(scopes("alerts.read"), scopes("alerts.read"))
    found = SendGrid("https://s", SENDGRID_KEY, SENDER, transport=mails.transport).check_access()
    assert found[1].ok is False and "mail.send" in found[1].fix


def scopes(*names: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, json={"scopes": list(names)})
