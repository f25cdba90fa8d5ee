"""2: what the edge does with requests before they reach the product."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.core.preflight.judging import verdict
from api.core.preflight.records import Finding, State

ADDRESSES = {"A", "AAAA", "CNAME"}
LEAST_TLS = (1, 2)
_SSL = {
    "off": "visitors are served without TLS",
    "flexible": "the way from the edge to the product is not encrypted",
    "full": "the product's certificate is not checked by the edge",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record of the product's host; `proxied`: requests go through the edge."""

    kind: str
    proxied: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """As the vendor calls its settings; `problem` when they could not be read."""

    ssl: str = ""
    min_tls: str = ""
    always_https: str = ""
    records: Sequence[Record] = ()
    problem: str = ""


def judged(found: Edge, host: str) -> Finding:
    if found.problem:
        return Finding(State.FAIL, found.problem)
    wrong: list[str] = []
    if found.ssl not in {"strict", "origin_pull"}:
        wrong.append(f"SSL mode is {found.ssl or 'unknown'}: {_SSL.get(found.ssl, 'strict is asked for')}")
    if _version(found.min_tls) < LEAST_TLS:
        wrong.append(f"TLS {found.min_tls or 'of any age'} is accepted")
    if found.always_https != "on":
        wrong.append("http is not always led to https")
    addresses = [one for one in found.records if one.kind in ADDRESSES]
    if not addresses:
        wrong.append(f"there is no DNS record of {host}")
    elif not all(one.proxied for one in addresses):
        wrong.append(f"{host} is not proxied: requests go past the edge")
    said = f"SSL {found.ssl}, TLS {found.min_tls} or newer, always https, {host} proxied"
    return verdict(wrong, said)


def _version(text: str) -> tuple[int, ...]:
    """Of what cannot be read, the oldest."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (0,)
