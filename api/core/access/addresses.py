"""Addresses that a partner registers, checked without a network: where people land, and who may embed us.

A return URL is kept as it was written and compared as a whole. An origin is kept as browsers write it (RFC
6454), because that is what it is compared with; it also goes into a response header, so its letters are few.
"""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from api.core.errors import Refused

MAX_ADDRESSES = 20
_MAX_LENGTH = 2000
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\]"
)
_VISIBLE = re.compile(r"[!-~]+")
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_DEFAULT_PORTS = {"https": 443, "http": 80}


def return_url(text: str) -> str:
    """As it was written. Raises `Refused` (`return_url_invalid`)."""
    return _url(text, "return_url_invalid", "return URL")


def webhook_url(text: str) -> str:
    """As it was written. Raises `Refused` (`webhook_url_invalid`)."""
    return _url(text, "webhook_url_invalid", "webhook address")


def origin(text: str) -> str:
    """`HTTPS://App.example:443/` → `https://app.example`. Raises `Refused` (`origin_invalid`)."""
    written = text.strip()
    parts = _parts(written, "origin_invalid", "origin")
    if parts.path not in {"", "/"} or parts.query or "?" in written:
        raise _refused("origin_invalid", "An origin has no path.", "Leave out everything after the host.")
    host, port = _host(parts), parts.port
    shown = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def distinct(addresses: Iterable[str], kind: str) -> list[str]:
    """Each once, in order. Raises `Refused` for more than `MAX_ADDRESSES`."""
    kept = list(dict.fromkeys(addresses))
    if len(kept) > MAX_ADDRESSES:
        fix = "Remove one that is not needed any more."
        raise _refused(f"{kind}_invalid", f"No more than {MAX_ADDRESSES} can be registered.", fix)
    return kept


def _url(text: str, code: str, name: str) -> str:
    written = text.strip()
    _parts(written, code, name)
    return written


def _parts(written: str, code: str, name: str) -> SplitResult:
    if not _VISIBLE.fullmatch(written) or len(written) > _MAX_LENGTH or "\\" in written:
        raise _refused(
            code,
            f"That is not a {name}.",
            "Write it as https://app.example.com, in ASCII and without spaces.",
        )
    try:
        parts = urlsplit(written)
        host, _ = _host(parts), parts.port
    except ValueError:
        raise _refused(code, f"That is not a {name}.", "Check the host and the port.") from None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise _refused(code, f"That is not a {name}.", "Write it as https://app.example.com.")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise _refused(code, f"A {name} is https.", "Use https; http is only for localhost.")
    if "@" in parts.netloc:
        raise _refused(code, f"A {name} holds no user name and password.", "Leave them out.")
    if "#" in written:
        raise _refused(code, f"A {name} has no fragment.", "Leave out everything from the # on.")
    return parts


def _host(parts: SplitResult) -> str:
    """In lower case, an IPv6 address in its brackets. Raises `ValueError`."""
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _refused(code: str, message: str, fix: str) -> Refused:
    return Refused(message, fix=fix, code=code)
