"""Tricks with text, numbers, times, nesting and bytes, in every place of every operation.

Each is answered with a documented status and code, never with a crash."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.contract.conftest import SITE, Service
from tests.contract.test_document import ELSEWHERE, turn

VALUES: list[Any] = [
    "a\x00b",
    "\ud800",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "\ufeff",
    "💥" * 300,
    "x" * 20_000,
    "",
    " ",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "+99999-01-01T00:00:00Z",
    10**400,
    -1,
    2**63,
    1e308,
    True,
    None,
    [],
    {},
    {"\ud800": "\ud800", "a\x00": 1},
    [[[[[[[[]]]]]]]],
]
RAW = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"\xff\xfe{}",
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"[" * 60_000 + b"]" * 60_000,
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
]
WORDS = ["%00", "%ff%fe", "..%2f..", "%E2%80%AE", quote("💥"), "%ED%A0%80", "x" * 3000, "-1", "9" * 40, "W10"]
ONBOARDING = {"paused": False, "reason": "a test"}
ENABLED = {"enabled": True, "reason": "a test"}
GOOD: Mapping[str, Any] = {
    "/api/integration/v1/heartbeat": {
        "users": [{"external_user_id": "talkative", "status": "live", "at": "2026-11-01T12:00:00Z"}]
    },
    "/api/integration/v1/access/exchange": {
        "code": "c",
        "return_url": f"{SITE}/welcome",
        "code_verifier": "v" * 43,
    },
    "/api/integration/v1/waitlist/start": {
        "mode": "redirect",
        "external_user_id": "tricky",
        "email": "tricky@example.com",
        "phone": "+15550100124",
        "return_url": f"{SITE}/welcome",
        "state": "s",
        "code_challenge": "A" * 43,
        "embed_origin": SITE,
        "referral_code": "abc",
        "metadata": {"plan": "pro"},
    },
    "/api/integration/v1/widget/token": {"external_user_id": "talkative", "origin": SITE},
    "/api/founder/v1/conversations/{conversation_id}/messages": {"client_id": "c-1", "text": "Hello"},
    "/api/founder/v1/conversations/{conversation_id}/read": {"seq": 0},
    "/api/founder/v1/spaces/{slug}/integrations": {"name": "Tricky"},
    "/api/founder/v1/integrations/{integration_id}": {
        "name": "Tricky",
        "return_urls": [f"{SITE}/welcome"],
        "origins": [SITE],
        "webhook_url": f"{SITE}/hook",
    },
    "/api/founder/v1/spaces/{slug}/entries/bulk": {"action": "accept", "ids": ["wle_none"]},
    "/api/founder/v1/spaces/{slug}/onboarding": ONBOARDING,
    "/api/founder/v1/spaces/{slug}/features/{key}": ENABLED,
    "/api/founder/v1/ops/flags/{key}": ENABLED,
}
KEYS = {"key": "integration_enabled"}


@pytest.mark.parametrize("surface", ["/api/integration/", "/api/founder/"])
def test_tricks_are_answered_as_documented(service: Service, surface: str) -> None:
    told: list[str] = []
    tried = 0
    for method, path, operation in operations(service.document, surface):
        for request in requests(service, method, path, operation):
            tried += 1
            answer = service.caller(path).send(request)
            if complaint := wrong(answer, operation):
                told.append(f"{method} {path} {request.url!s:.200} {request.content[:200]!r}: {complaint}")
    assert not told, "\n".join(told[:20])
    assert tried > 100


def operations(document: Mapping[str, Any], surface: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    found = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(surface) and not path.endswith(ELSEWHERE)
    ]
    yield from sorted(found, key=lambda one: turn(one[0], one[1]))


def requests(
    service: Service, method: str, path: str, operation: Mapping[str, Any]
) -> Iterator[httpx.Request]:
    caller = service.caller(path)
    parameters = operation.get("parameters", [])
    names = {"path": [], "query": []} | {
        place: [one["name"] for one in parameters if one["in"] == place] for place in ("path", "query")
    }
    values = {name: (service.known | KEYS).get(name, "none") for name in names["path"]}
    address = path.format(**values)
    good = GOOD.get(path) if "requestBody" in operation else None

    def asked(url: str, content: bytes | None = None, key: bytes | None = None) -> httpx.Request:
        headers = {b"Idempotency-Key": key or str(uuid4()).encode(), b"Content-Type": b"application/json"}
        return caller.build_request(method, url, content=content, headers=list(headers.items()))

    body = json.dumps(good).encode() if good is not None else None
    for word in WORDS:
        for name in names["path"]:
            yield asked(path.format(**values | {name: word}), body)
        for name in names["query"]:
            yield asked(f"{address}?{name}={word}")
    for key in (b"\xff\xfe", b"a b", b"k" * 300):
        yield asked(address, body, key)
    if "requestBody" in operation:
        for raw in RAW:
            yield asked(address, raw)
    if good is not None:
        for changed in tricked(good):
            yield asked(address, json.dumps(changed).encode())


def tricked(value: Any) -> Iterator[Any]:
    """The value with each place in it, itself included, replaced by each of `VALUES`."""
    yield from VALUES
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (value | {name: changed} for changed in tricked(inner))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            for changed in tricked(inner):
                copied = deepcopy(value)
                copied[place] = changed
                yield copied


def wrong(answer: httpx.Response, operation: Mapping[str, Any]) -> str:
    """What the answer does that the operation's description does not say; empty when all is as written."""
    described = operation["responses"].get(str(answer.status_code))
    if described is None:
        return f"undocumented status {answer.status_code}"
    if answer.status_code < 300:
        return ""
    if answer.headers["content-type"] != "application/problem+json":
        return f"{answer.status_code} as {answer.headers['content-type']}"
    code, problem = answer.json()["code"], described["content"].get("application/problem+json")
    known = problem["schema"]["properties"]["code"]["enum"] if problem else ()
    return "" if code in known else f"undocumented code {code}"
