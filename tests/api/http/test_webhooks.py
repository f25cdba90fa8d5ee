"""Test events by API and page: signed with every valid secret, not to every address, a few a minute."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from api.core.access import milestones
from api.core.webhooks import secrets
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG
from tests.receiver import Answer, Receiver, receiving

TEST = "/api/integration/v1/webhooks/test"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def signing(app: FastAPI, integration_id: str, receiver: Receiver) -> Iterator[list[str]]:
    """The integration has an address and two valid secrets, newest first; no test was sent lately."""
    now, at = datetime.now(UTC), app.state.services
    with at.transaction() as session:
        _clear(at, integration_id)
        made = [
            secrets.rotate(session, at.vault, integration_id, timedelta(hours=1), now, "test", forced=True)[1]
            for _ in range(2)
        ]
    with address(at, integration_id, receiver.url):
        yield made[::-1]
    _clear(at, integration_id)


@contextmanager
def address(at: Services, integration_id: str, url: str | None) -> Iterator[None]:
    """The integration's webhook address inside the block."""
    statement = text("update integrations set webhook_url = :u where id = :i returning webhook_url")
    with at.transaction() as session:
        before = session.scalar(
            text("select webhook_url from integrations where id = :i"), {"i": integration_id}
        )
        session.execute(statement, {"u": url, "i": integration_id})
    yield
    with at.transaction() as session:
        session.execute(statement, {"u": before, "i": integration_id})


def _clear(at: Services, integration_id: str) -> None:
    with at.transaction() as session:
        session.execute(text("delete from audit where action = 'webhooks.test'"))
        session.execute(text("delete from webhook_secrets where integration_id = :i"), {"i": integration_id})


def test_a_test_event_arrives_signed_with_every_valid_secret(
    partner: TestClient, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    receiver.answer = Answer(202, b"thanks")
    answer = partner.post(TEST)
    said, (arrived,) = answer.json(), receiver.received
    assert answer.status_code == 200
    assert said["latency_ms"] >= 0
    assert {name: said[name] for name in ("object", "delivered", "failure", "status_code")} == {
        "object": "webhook_test",
        "delivered": True,
        "failure": None,
        "status_code": 202,
    }
    assert (said["response_excerpt"], said["message_id"]) == ("thanks", arrived.headers["webhook-id"])
    for secret in signing:
        event = Webhook(secret).verify(arrived.body, arrived.headers)
        assert (event["type"], event["data"]["integration_id"]) == ("webhook.test", integration_id)
    assert len(arrived.headers["webhook-signature"].split()) == 2


def test_only_a_2xx_reaches_the_milestone(
    app: FastAPI, partner: TestClient, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    at: Services = app.state.services
    with at.transaction() as session:
        session.execute(text("delete from milestones where key = 'webhook_test'"))
    for status, reached in ((500, False), (200, True)):
        receiver.answer = Answer(status)
        partner.post(TEST)
        with at.transaction() as session:
            assert ("webhook_test" in milestones.of(session, integration_id)) is reached


def test_what_the_receiver_says_is_told_and_no_error_of_ours(
    partner: TestClient, receiver: Receiver, signing: list[str]
) -> None:
    for status, failure in ((500, "refused"), (302, "redirected")):
        receiver.answer = Answer(status, b"no", {"Location": "http://169.254.169.254/"})
        answer = partner.post(TEST)
        assert answer.status_code == 200
        assert (answer.json()["delivered"], answer.json()["failure"]) == (False, failure)


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        (None, 409, "webhook_url_missing"),
        ("https://169.254.169.254/latest", 422, "webhook_url_not_allowed"),
        ("https://[::ffff:10.0.0.1]/", 422, "webhook_url_not_allowed"),
        ("http://hooks.example.com/", 422, "webhook_url_not_allowed"),
    ],
)
def test_refusals_have_codes(
    app: FastAPI,
    partner: TestClient,
    integration_id: str,
    signing: list[str],
    url: str | None,
    status: int,
    code: str,
) -> None:
    with address(app.state.services, integration_id, url):
        answer = partner.post(TEST)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_without_a_secret_nothing_is_sent(
    app: FastAPI, partner: TestClient, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    _clear(app.state.services, integration_id)
    answer = partner.post(TEST)
    assert (answer.status_code, answer.json()["code"]) == (409, "signing_secret_missing")
    assert not receiver.received


def test_a_few_a_minute(partner: TestClient, receiver: Receiver, signing: list[str]) -> None:
    answers = [partner.post(TEST) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert len(receiver.received) == 5


def test_the_founder_sees_what_was_sent(
    founder: TestClient, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    said = founder.post(f"/api/founder/v1/integrations/{integration_id}/webhooks/test").json()
    (arrived,) = receiver.received
    assert said["delivered"] and said["request"]["body"] == arrived.body.decode()
    assert said["request"]["headers"]["webhook-signature"] == arrived.headers["webhook-signature"]
    page = founder.post(f"/app/webhooks/{integration_id}/test")
    assert page.status_code == 200
    assert receiver.received[-1].headers["webhook-id"] in page.text and "Answered 200" in page.text
    assert signing[0] not in page.text


def test_a_test_is_a_delivery_like_any_other(
    founder: TestClient, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    hooks = f"/api/founder/v1/integrations/{integration_id}/webhooks"
    receiver.answer = Answer(500, b"<b>broken</b>")
    founder.post(f"{hooks}/test")
    receiver.answer = Answer(200, b"thanks")
    founder.post(f"{hooks}/test")
    (own,) = [one for one in founder.get(f"{hooks}/endpoints").json()["data"] if one["registered"]]
    listed = founder.get(f"{hooks}/endpoints/{own['id']}/deliveries?limit=2").json()["data"]
    assert [(one["type"], one["state"], one["attempts"]) for one in listed] == [
        ("webhook.test", "delivered", 1),
        ("webhook.test", "exhausted", 1),
    ]
    ids = [arrived.headers["webhook-id"] for arrived in receiver.received]
    assert [one["message_id"] for one in listed[::-1]] == ids
    failed = founder.get(f"{hooks}/deliveries/{listed[1]['id']}").json()
    assert failed["body"] == receiver.received[0].body.decode()
    assert [(one["status"], one["response"]) for one in failed["tries"]] == [(500, "<b>broken</b>")]
    again = founder.post(f"{hooks}/deliveries/{listed[1]['id']}/resend").json()
    assert (again["state"], again["message_id"]) == ("open", ids[0])
    page = founder.post(f"/app/webhooks/{integration_id}/test").text
    assert "See it among the deliveries" in page


def test_the_page_says_what_is_missing(
    app: FastAPI, founder: TestClient, signing: list[str], integration_id: str
) -> None:
    with address(app.state.services, integration_id, None):
        page = founder.post(f"/app/webhooks/{integration_id}/test")
    assert page.status_code == 422 and "no webhook address" in page.text


def test_another_founder_sends_nothing(
    visit: Visit, outbox: Outbox, receiver: Receiver, signing: list[str], integration_id: str
) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    answer = other.post(f"/api/founder/v1/integrations/{integration_id}/webhooks/test")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert other.get(f"/app/webhooks?space={SLUG}").status_code == 404
    assert not receiver.received
