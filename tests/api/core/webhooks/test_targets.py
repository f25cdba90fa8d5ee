"""Where webhooks may go: every disguise of an inner address is refused."""

import ipaddress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.errors import Refused
from api.core.webhooks import targets
from api.core.webhooks.targets import parse, reachable

PUBLIC = ["https://hooks.example.com/a?b=c", "https://93.184.215.14", "https://[2606:4700::1111]:8443/x"]
INNER = [
    "0.0.0.0",  # noqa: S104  not bound to: refused
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_public_targets_are_allowed(url: str) -> None:
    assert parse(url).scheme == "https"


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_refused_as_text_and_as_resolved(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused) as refused:
        parse(f"https://{host}/")
    assert refused.value.code == "webhook_url_not_allowed"
    assert not reachable(parse("https://hooks.example.com"), ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "//hooks.example.com",
        "ftp://hooks.example.com",
        "http://hooks.example.com",
        "https://",
        "https:///path",
        "https://user@hooks.example.com",
        "https://user:password@hooks.example.com",
        "https://@hooks.example.com",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/#",
        "https://hooks.example.com:0",
        "https://hooks.example.com:65536",
        "https://hooks.example.com:x",
        "https://hooks.example.com./",
        "https://hooks..example.com",
        "https://-hooks.example.com",
        "https://hooks example.com",
        "https://hooks.example.com/\r\nHost: x",
        "https://hooks.example.com/\x00",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.1",
        "https://0X7F.1",
        "https://017700000001",
        "https://0177.0.0.1",
        "https://127.1",
        "https://127.0.1",
        "https://127.0.0.1.",
        "https://127.0.0.0x1",
        "https://1.2.3.4.5",
        "https://①②⑦.⓪.⓪.①",
        "https://ⓔxample.com",
        "https://bücher.example",
        "https://127。0。0。1",
        "https://[fe80::1%25eth0]",
        "https://[::1",
        "https://[::ffff:7f00:1]",
        "https://hooks.example.com/" + "a" * 2000,
        "https://" + "a" * 64 + ".com",
        "https://localhost\t",
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    for loopback_allowed in (False, True):
        with pytest.raises(Refused, match="webhook URL is not allowed"):
            parse(url, loopback_allowed)


def test_loopback_only_where_the_service_itself_runs_there() -> None:
    for scheme, host in product(("http", "https"), ("127.0.0.1", "localhost", "[::1]")):
        target = parse(f"{scheme}://{host}:9000/hooks", loopback_allowed=True)
        assert reachable(target, ipaddress.ip_address("127.0.0.1"))
        assert not reachable(target, ipaddress.ip_address("169.254.169.254"))
    public_by_http = parse("http://localhost:9000", loopback_allowed=True)
    assert not reachable(public_by_http, ipaddress.ip_address("93.184.215.14"))
    assert not reachable(parse("https://localhost:9000"), ipaddress.ip_address("127.0.0.1"))
    assert targets.is_loopback_url("http://127.0.0.1:8000")
    assert not targets.is_loopback_url("https://firstuser.example")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Hooks.Example.com/x", "hooks.example.com"),
        ("https://hooks.example.com:443/x", "hooks.example.com"),
        ("https://hooks.example.com:8443/x", "hooks.example.com:8443"),
        ("https://[2606:4700:0::1111]:8443/x", "[2606:4700::1111]:8443"),
    ],
)
def test_the_host_header_names_what_was_registered(url: str, authority: str) -> None:
    assert parse(url).authority == authority


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_reachable(address: targets.Address) -> None:
    target = parse("https://hooks.example.com")
    if reachable(target, address):
        assert address.is_global and not address.is_multicast and not address.is_reserved


@given(st.ip_addresses(v=4))
def test_no_embedding_of_an_address_in_ipv6_is_reachable(inner: ipaddress.IPv4Address) -> None:
    target = parse("https://hooks.example.com")
    for prefix in ("::", "::ffff:0:0", "64:ff9b::"):
        assert not reachable(target, ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(inner)))
    assert not reachable(target, ipaddress.IPv6Address((0x2002 << 112) | (int(inner) << 80)))


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hooks.example.com/{text}", f"https://hooks{text}.com"):
        try:
            target = parse(url)
        except Refused:
            continue
        assert target.host.isascii() and target.path.isascii()
