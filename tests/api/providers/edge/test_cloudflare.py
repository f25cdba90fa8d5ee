"""Cloudflare: every setting that leaves the product open is found, and so is a token that cannot look."""

from collections.abc import Callable, Iterator

import pytest

from api.core.errors import Rejected
from api.core.preflight.judging import edge
from api.core.preflight.records import State
from api.providers.edge.cloudflare import Cloudflare
from tests.platforms.cloudflare import HOST, ZONE, FakeCloudflare
from tests.platforms.fake import TOKEN, on_loopback


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with on_loopback(FakeCloudflare()) as made:
        yield made


def api(fake: FakeCloudflare) -> Cloudflare:
    return Cloudflare(f"{fake.url}/", TOKEN, ZONE)


def test_a_good_edge_passes(fake: FakeCloudflare) -> None:
    found = edge.judged(api(fake).edge(HOST), HOST)
    assert found.state is State.PASS and "strict" in found.observed
    assert all(one.ok in {True, None} for one in api(fake).check_access())
    assert {request.method for request in fake.asked} == {"GET"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda fake: fake.settings.update(ssl="flexible"), "not encrypted"),
        (lambda fake: fake.settings.update(ssl="full"), "not checked"),
        (lambda fake: fake.settings.update(ssl="off"), "without TLS"),
        (lambda fake: fake.settings.update(min_tls_version="1.0"), "TLS 1.0"),
        (lambda fake: fake.settings.update(min_tls_version="new"), "TLS new"),
        (lambda fake: fake.settings.update(always_use_https="off"), "always led to https"),
        (lambda fake: fake.records.clear(), "no DNS record"),
        (lambda fake: fake.records.update({HOST: False}), "not proxied"),
    ],
)
def test_what_leaves_the_product_open_is_found(
    fake: FakeCloudflare, spoil: Callable[[FakeCloudflare], object], said: str
) -> None:
    spoil(fake)
    found = edge.judged(api(fake).edge(HOST), HOST)
    assert found.state is State.FAIL and said in found.observed


def test_a_token_that_may_not_look_is_a_finding(fake: FakeCloudflare) -> None:
    fake.token = "another"
    found = edge.judged(api(fake).edge(HOST), HOST)
    assert found.state is State.FAIL and "403" in found.observed and TOKEN not in found.observed
    assert [one.ok for one in api(fake).check_access()] == [False] * 4 + [None]


def test_a_disabled_token_is_one_that_is_missing(fake: FakeCloudflare) -> None:
    fake.token_status = "disabled"
    assert api(fake).check_access()[0].ok is False


def test_the_cache_is_purged(fake: FakeCloudflare) -> None:
    api(fake).purge()
    assert fake.purged == 1
    fake.token = "another"
    with pytest.raises(Rejected):
        api(fake).purge()
