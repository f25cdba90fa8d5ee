"""The dispatcher's sender: exactly those bytes, no address that is not allowed, one deadline, no redirect."""

import asyncio
from pathlib import Path

import pycurl
import pytest

from api.core.errors import Refused
from api.core.webhooks.attempts import Attempt, Failure
from api.providers.webhooks.curl import MAX_ANSWER, CurlSender
from tests.certificates import Authority
from tests.receiver import Answer, receiving

BODY = '{"name":"Zoë ☃"}'.encode()


def post(url: str, body: bytes = BODY, headers: dict[str, str] | None = None, **options: object) -> Attempt:
    async def run() -> Attempt:
        sender = CurlSender(**{"loopback_allowed": True, **options})  # type: ignore[arg-type]
        try:
            return await sender.post(url, headers or {}, body)
        finally:
            sender.close()

    return asyncio.run(run())


@pytest.mark.parametrize("body", [BODY, b"", b"\x00\xff" * 5000])
def test_exactly_those_bytes(body: bytes) -> None:
    with receiving() as receiver:
        attempt = post(f"{receiver.url}?a=1", body, {"webhook-id": "msg_1"})
        (got,) = receiver.received
    assert attempt.delivered and attempt.excerpt == "ok" and attempt.address == "127.0.0.1"
    assert got.body == body and got.path == "/hooks?a=1"
    assert got.headers["webhook-id"] == "msg_1" and got.headers["content-type"] == "application/json"
    assert "expect" not in got.headers and "accept-encoding" not in got.headers


@pytest.mark.parametrize(
    ("status", "failure"),
    [(204, None), (302, Failure.REDIRECTED), (404, Failure.REFUSED), (503, Failure.REFUSED)],
)
def test_what_an_answer_means(status: int, failure: Failure | None) -> None:
    with receiving() as receiver:
        receiver.answer = Answer(status, b"", {"Location": receiver.url, "Retry-After": "17"})
        attempt = post(receiver.url)
        assert len(receiver.received) == 1
    assert (attempt.failure, attempt.status_code, attempt.retry_after) == (failure, status, "17")


def test_one_deadline_over_an_answer_that_drips_and_a_cap_over_one_that_pours() -> None:
    with receiving() as receiver:
        receiver.answer = Answer(200, b"x", drip_s=0.1)
        assert post(receiver.url, deadline_s=0.5).failure is Failure.TIMED_OUT
        receiver.answer = Answer(200, b"x" * (MAX_ANSWER * 3))
        assert post(receiver.url).delivered
        receiver.answer = Answer(200, stall_s=1)
        assert post(receiver.url, deadline_s=0.3).failure is Failure.TIMED_OUT


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fd00::1"]
)
def test_a_name_that_leads_inside_is_not_followed(address: str) -> None:
    """Whatever the name said before: the address that is about to be connected to decides."""
    place = f"[{address}]" if ":" in address else address
    attempt = post("https://evil.example/", loopback_allowed=False, resolve={"evil.example:443": place})
    assert attempt.failure is Failure.ADDRESS_BLOCKED
    assert address in attempt.detail


def test_an_inner_address_beside_a_good_one_is_left_out() -> None:
    with receiving() as receiver:
        place = f"localhost:{receiver.port}"
        both = post(f"http://{place}/hooks", resolve={place: "169.254.169.254,127.0.0.1"})
        assert (both.failure, both.address) == (None, "127.0.0.1")


def test_what_was_good_once_is_looked_at_again() -> None:
    """A name that changes its mind between two POSTs: no connection is made to the new address."""
    with receiving() as receiver:
        place = f"localhost:{receiver.port}"

        async def run() -> list[Attempt]:
            sender = CurlSender(loopback_allowed=True, resolve={place: "127.0.0.1"})
            first = await sender.post(f"http://{place}/hooks", {"connection": "close"}, b"")
            (idle,) = sender._idle  # pyright: ignore[reportPrivateUsage]
            idle.handle.setopt(pycurl.RESOLVE, [f"{place}:169.254.169.254"])
            second = await sender.post(f"http://{place}/hooks", {}, b"")
            sender.close()
            return [first, second]

        first, second = asyncio.run(run())
        assert first.delivered and second.failure is Failure.ADDRESS_BLOCKED
        assert len(receiver.received) == 1


def test_what_is_not_allowed_is_refused_before_anything_happens() -> None:
    for url in ("http://partner.example/", "https://10.0.0.1/", "https://u:p@partner.example/", "ftp://x/"):
        with pytest.raises(Refused):
            post(url)


def test_environment_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as receiver:
        assert post(receiver.url).delivered


def test_tls_keeps_the_name_and_trusts_only_its_authorities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pem = tmp_path / "ca.pem"
    pem.write_text(authority.pem())
    with receiving(authority.serving("partner.example")) as receiver:
        url = f"https://partner.example:{receiver.port}/in"
        resolve = {f"partner.example:{receiver.port}": "127.0.0.1"}
        assert post(url, ca_file=str(pem), resolve=resolve).delivered
        assert receiver.names == ["partner.example"]
        assert receiver.received[0].headers["host"] == f"partner.example:{receiver.port}"
        assert post(url, resolve=resolve).failure is Failure.TLS_FAILED
        other = {f"other.example:{receiver.port}": "127.0.0.1"}
        wrong = post(f"https://other.example:{receiver.port}/", ca_file=str(pem), resolve=other)
        assert wrong.failure is Failure.TLS_FAILED


def test_nobody_there() -> None:
    assert post("http://127.0.0.1:1/").failure is Failure.CONNECT_FAILED
    assert post("https://nobody-at-all.invalid/").failure is Failure.DNS_FAILED
