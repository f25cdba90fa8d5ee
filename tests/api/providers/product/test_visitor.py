"""The visitor sees the product as people do, and turns every refusal into an error that says what it was."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from api.core.clock import system_clock
from api.core.errors import FirstUserError, Rejected, TimedOut, Unavailable
from api.providers.messaging.outbox import StoredMessage
from api.providers.product.visitor import HttpVisitor

Handler = Callable[[httpx.Request], httpx.Response]


def nothing(_to: str, _after: datetime) -> None:
    return None


def visitor(
    handler: Handler, inbox: Callable[[str, datetime], StoredMessage | None] = nothing
) -> HttpVisitor:
    return HttpVisitor("http://staging.test", inbox, timeout_s=0.2, transport=httpx.MockTransport(handler))


def test_a_login_sends_back_the_code_that_arrived_after_it_was_asked_for() -> None:
    asked: list[datetime] = []
    sent: list[str] = []

    def inbox(to: str, after: datetime) -> StoredMessage | None:
        asked.append(after)
        code = "Your code is 123456." if len(asked) > 1 else "No code in this one."
        return StoredMessage("msg_1", "sms", to, "", code, system_clock())

    def product(request: httpx.Request) -> httpx.Response:
        assert request.headers["origin"] == "http://staging.test"
        sent.append(request.content.decode())
        return httpx.Response(202 if request.url.path.endswith("start") else 200)

    with visitor(product, inbox) as someone:
        assert someone.log_in("+15550100001") == "code accepted (200)"
    assert "123456" in sent[1]
    assert asked[0] <= system_clock()


def test_a_code_that_never_arrives_is_a_time_out_with_a_reason() -> None:
    with (
        visitor(lambda _: httpx.Response(202)) as someone,
        pytest.raises(TimedOut, match="No login code") as missing,
    ):
        someone.log_in("+15550100001")
    assert "FOUNDER_PHONES" in missing.value.fix


def refuses_connections(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def hangs(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too long")


@pytest.mark.parametrize(
    ("product", "kind", "says"),
    [
        (refuses_connections, Unavailable, "could not be sent"),
        (hangs, TimedOut, "no answer in"),
        (lambda _: httpx.Response(503), Unavailable, "answered 503"),
        (lambda _: httpx.Response(404, json={"code": "not_found"}), Rejected, "answered 404: not_found"),
        (lambda _: httpx.Response(403, text="<html>"), Rejected, "no problem document"),
    ],
)
def test_every_refusal_is_an_error_of_its_kind(
    product: Handler, kind: type[FirstUserError], says: str
) -> None:
    with visitor(product) as someone, pytest.raises(kind, match=says):
        someone.founder_json("/api/founder/v1/spaces/ada")


def test_a_page_that_redirects_to_the_login_did_not_load() -> None:
    with (
        visitor(lambda _: httpx.Response(303, headers={"location": "/login"})) as someone,
        pytest.raises(Rejected, match="redirects to /login"),
    ):
        someone.page("/app")
