"""The POST of a webhook against real servers: what gets out, where it goes, how it ends."""

import asyncio
import ipaddress
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from api.core.errors import Refused
from api.core.webhooks.attempts import MAX_EXCERPT, Attempt, Failure
from api.core.webhooks.targets import Address
from api.providers.webhooks.http import HttpSender
from api.providers.webhooks.network import Resolve
from deployments.bench.places import free_port
from tests.certificates import Authority
from tests.receiver import Answer, Receiver, receiving

HOST = "hooks.partner.example"
METADATA = "169.254.169.254"
HEADERS = {"webhook-id": "msg_1"}


class Resolver:
    """Answers with one set of addresses a call, the last one for ever; counts the calls."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ipaddress.ip_address(address) for address in answer]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def post(sender: HttpSender, url: str, body: bytes = b"{}") -> Attempt:
    return asyncio.run(sender.post(url, HEADERS, body))


def local(deadline_s: float = 10) -> HttpSender:
    return HttpSender(loopback_allowed=True, deadline_s=deadline_s)


def test_the_bytes_arrive_and_the_answer_comes_back(receiver: Receiver) -> None:
    receiver.answer = Answer(201, "größer \x00".encode())
    attempt = post(local(), receiver.url + "?a=b", b'{"name":"\xc3\xa4"}')
    assert (attempt.delivered, attempt.status_code, attempt.excerpt) == (True, 201, "größer �")
    (arrived,) = receiver.received
    assert (arrived.path, arrived.body) == ("/hooks?a=b", b'{"name":"\xc3\xa4"}')
    assert arrived.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert arrived.headers["webhook-id"] == "msg_1"
    assert arrived.headers["content-type"] == "application/json"


def test_a_pinned_connection_keeps_the_name_for_tls_and_host(tmp_path: Path, authority: Authority) -> None:
    with receiving(authority.serving(HOST)) as receiver:
        resolver = Resolver(["127.0.0.1"])
        sender = HttpSender(loopback_allowed=True, resolve=resolver, tls=authority.trusting())
        attempt = post(sender, f"https://{HOST}:{receiver.port}/hooks")
        assert (attempt.delivered, attempt.address, resolver.calls) == (True, "127.0.0.1", 1)
        assert receiver.names == [HOST]
        assert receiver.received[0].headers["host"] == f"{HOST}:{receiver.port}"


def test_a_certificate_for_another_name_is_a_failure(authority: Authority) -> None:
    with receiving(authority.serving("other.example")) as receiver:
        sender = HttpSender(loopback_allowed=True, resolve=Resolver(["127.0.0.1"]), tls=authority.trusting())
        attempt = post(sender, f"https://{HOST}:{receiver.port}/hooks")
        assert (attempt.failure, attempt.status_code) == (Failure.TLS_FAILED, None)
        assert not receiver.received


@pytest.mark.parametrize("answer", [[METADATA], ["127.0.0.1", "::1"], ["10.0.0.1", "::ffff:10.0.0.1"]])
def test_a_name_with_inner_addresses_only_is_blocked_before_any_connection(answer: list[str]) -> None:
    attempt = post(HttpSender(resolve=Resolver(answer)), f"https://{HOST}/")
    assert (attempt.failure, attempt.address) == (Failure.ADDRESS_BLOCKED, "")


def test_a_name_that_changes_its_mind_gains_nothing(authority: Authority) -> None:
    """Checked once as loopback here (allowed), metadata at any later question: there is no later question."""
    with receiving(authority.serving(HOST)) as receiver:
        resolver = Resolver(["127.0.0.1"], [METADATA])
        sender = HttpSender(loopback_allowed=True, resolve=resolver, tls=authority.trusting())
        url = f"https://{HOST}:{receiver.port}/hooks"
        first = post(sender, url)
        second = post(sender, url)
        assert (first.delivered, first.address) == (True, "127.0.0.1")
        assert (second.failure, second.address) == (Failure.ADDRESS_BLOCKED, "")
        assert resolver.calls == 2 and len(receiver.received) == 1


def test_an_inner_address_beside_a_good_one_is_left_out(authority: Authority) -> None:
    with receiving(authority.serving(HOST)) as receiver:
        resolver = Resolver([METADATA, "10.0.0.1", "127.0.0.1"])
        sender = HttpSender(loopback_allowed=True, resolve=resolver, tls=authority.trusting())
        assert post(sender, f"https://{HOST}:{receiver.port}/").address == "127.0.0.1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_failures_and_not_followed(receiver: Receiver, status: int) -> None:
    with receiving() as elsewhere:
        for target in (f"http://{METADATA}/latest/meta-data/", elsewhere.url):
            receiver.answer = Answer(status, b"over there", {"Location": target})
            attempt = post(local(), receiver.url)
            assert (attempt.failure, attempt.status_code) == (Failure.REDIRECTED, status)
        assert not elsewhere.received


def test_refusals_are_values_with_their_excerpt(receiver: Receiver) -> None:
    receiver.answer = Answer(500, b"it broke")
    attempt = post(local(), receiver.url)
    assert (attempt.failure, attempt.status_code, attempt.excerpt) == (Failure.REFUSED, 500, "it broke")


@pytest.mark.parametrize("answer", [Answer(stall_s=5), Answer(body=b"x", drip_s=0.05)])
def test_one_deadline_over_silence_and_over_dripping(receiver: Receiver, answer: Answer) -> None:
    receiver.answer = answer
    started = time.monotonic()
    attempt = post(local(deadline_s=0.5), receiver.url)
    assert attempt.failure == Failure.TIMED_OUT and time.monotonic() - started < 2


def test_the_deadline_covers_the_resolver() -> None:
    async def never(host: str, port: int) -> Sequence[Address]:
        await asyncio.sleep(60)
        return []

    resolve: Resolve = never
    attempt = post(HttpSender(resolve=resolve, deadline_s=0.2), f"https://{HOST}/")
    assert attempt.failure == Failure.TIMED_OUT


def test_an_endless_answer_is_cut(receiver: Receiver) -> None:
    receiver.answer = Answer(body=b"y" * 65536, drip_s=0)
    attempt = post(local(), receiver.url)
    assert attempt.delivered and attempt.excerpt == "y" * MAX_EXCERPT


def test_nobody_there_and_no_such_name() -> None:
    assert post(local(), f"http://127.0.0.1:{free_port()}/").failure == Failure.CONNECT_FAILED

    async def unknown(host: str, port: int) -> Sequence[Address]:
        raise OSError("Name or service not known")

    for resolve in (unknown, Resolver([])):
        assert post(HttpSender(resolve=resolve), f"https://{HOST}/").failure == Failure.DNS_FAILED


def test_what_is_not_allowed_is_refused_before_anything_happens() -> None:
    resolver = Resolver(["127.0.0.1"])
    for url in (f"http://{HOST}/", f"https://{METADATA}/", "https://0x7f.1/"):
        with pytest.raises(Refused):
            post(HttpSender(resolve=resolver), url)
    assert resolver.calls == 0


def test_a_proxy_of_the_environment_is_ignored(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert post(local(), receiver.url).delivered
