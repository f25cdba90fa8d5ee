"""Where a webhook may go: decided on the URL's text first, then on every address that its host resolves to.

`parse`     a registered URL as a `Target`; raises `Refused` (`webhook_url_not_allowed`) saying what is wrong
`reachable` whether a target's connection may go to an address

Only https to public addresses. A service that itself runs on loopback may go to loopback too, also by http.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from api.core.errors import Refused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_BLOCKED_V4: Sequence[ipaddress.IPv4Network] = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata
        "169.254.0.0/16",  # link-local; metadata of AWS, Google, Azure
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # class E, broadcast
    )
]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # mapped, NAT64, ULA, link-local and multicast lie outside
_BLOCKED_V6: Sequence[ipaddress.IPv6Network] = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
]
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_URL_TEXT = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_URL = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is a name in lower case or a canonical address without brackets; `path` holds the query, too."""

    scheme: str
    host: str
    port: int
    path: str
    loopback_allowed: bool

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, loopback_allowed: bool = False) -> Target:
    if len(url) > _MAX_URL or not _URL_TEXT.fullmatch(url) or "\\" in url:
        raise _refused("it is longer than 2000 characters or holds blanks, backslashes or non-ASCII letters")
    parts = _split(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _refused("it does not start with https:// and a host")
    if "@" in parts.netloc or "#" in url:
        raise _refused("it holds credentials or a fragment")
    host = _host(parts.hostname)
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise _refused("its port is 0")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port, path, loopback_allowed)
    if target.scheme == "http" and not (loopback_allowed and _names_loopback(host)):
        raise _refused("it is http; use https")
    literal = _literal(host)
    if literal is not None and not reachable(target, literal):
        raise _refused(f"{literal} is not a public address")
    return target


def reachable(target: Target, address: Address) -> bool:
    """An IPv4 address mapped into IPv6 is never reachable: nothing public is written so."""
    if address.is_loopback:
        return target.loopback_allowed
    if target.scheme != "https":
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _BLOCKED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _BLOCKED_V6)


def is_loopback_url(url: str) -> bool:
    """Whether the service at `url` runs on loopback only: a developer's machine."""
    return _names_loopback(_split(url).hostname or "")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for a port that is none
    except ValueError:
        raise _refused("it is not a URL") from None
    return parts


def _host(host: str) -> str:
    """Numbers that only an old resolver takes for an address (`0x7f.1`, `017700000001`) are refused."""
    literal = _literal(host)
    if literal is not None:
        return str(literal)
    if not _HOST_NAME.fullmatch(host) or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        raise _refused("its host is neither a name nor an address in the usual form")
    return host


def _literal(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if isinstance(address, ipaddress.IPv6Address) and address.scope_id else address


def _names_loopback(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" or (literal is not None and literal.is_loopback)


def _refused(why: str) -> Refused:
    return Refused(
        f"The webhook URL is not allowed: {why}.",
        fix="Register an https URL whose host has a public address.",
        code="webhook_url_not_allowed",
    )
