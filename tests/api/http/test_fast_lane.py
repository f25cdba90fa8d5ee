"""The fast lane and the documented routes give the same answers; the lane answers what is ordinary."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app, in_fast_lane
from api.core.access import waitlist
from api.core.access.exchange_rules import s256
from api.core.keys import service as keys
from api.http.fast_lane import FastLane
from api.http.services import Services
from api.settings import Settings
from tests.codes import issue
from tests.product import BASE_URL

HEARTBEAT = "/api/integration/v1/heartbeat"
ME = "/api/integration/v1/me"
LIVE = "/api/integration/v1/users/live"
EXCHANGE = "/api/integration/v1/access/exchange"
VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636"
RETURN_URL = "https://partner.example/back"
LONG_WAYS: list[str] = []


class Counting:
    """Behind the fast lane: notes what it did not answer itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        LONG_WAYS.append(scope.get("path", ""))
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def fast_app(seeded: Settings) -> FastAPI:
    return create_app(seeded)


@pytest.fixture(scope="module")
def slow_app(seeded: Settings) -> FastAPI:
    return create_app(seeded)


@pytest.fixture(scope="module")
def key(partner_keys: dict[str, str], integration_id: str) -> str:
    return partner_keys[integration_id]


@pytest.fixture(scope="module")
def slow(slow_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(slow_app, base_url=BASE_URL) as client:
        yield client


@pytest.fixture(scope="module")
def fast(fast_app: FastAPI, key: str, new_code: Callable[..., str]) -> Iterator[TestClient]:
    laned = FastLane(Counting(fast_app), services(fast_app))
    with TestClient(laned, base_url=BASE_URL) as client:
        until(lambda: services(fast_app).keys.hearing)
        client.post(HEARTBEAT, json={"users": [{"external_user_id": "x"}]}, headers=bearer(key))
        client.post(EXCHANGE, json={"code": new_code()}, headers=bearer(key))
        client.get(ME, headers=bearer(key))
        yield client


@pytest.fixture(scope="module")
def new_code(slow_app: FastAPI, integration_id: str) -> Callable[..., str]:
    def made(**facts: Any) -> str:
        at = services(slow_app)
        with at.transaction() as session:
            return issue(session, integration_id, at.clock(), **facts).code

    return made


@pytest.fixture(autouse=True)
def no_long_ways() -> None:
    LONG_WAYS.clear()


def services(app: FastAPI) -> Services:
    return app.state.services


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def until(happened: Callable[[], bool], within: float = 5.0) -> None:
    deadline = monotonic() + within
    while not happened():
        assert monotonic() < deadline
        sleep(0.01)


def same(one: httpx.Response, other: httpx.Response) -> None:
    """But for what is of this one request: its id, and what is left of the limit."""
    told = [dict(answer.headers) for answer in (one, other)]
    for headers in told:
        assert headers.pop("request-id").startswith("req_")
        headers.pop("content-length", None)
        left = headers.pop("ratelimit", '"key";r=')
        assert left.startswith('"key";r=')
    bodies = [answer.json() for answer in (one, other)]
    for body in bodies:
        body.pop("request_id", None)
    assert one.status_code == other.status_code
    assert bodies[0] == bodies[1]
    assert told[0] == told[1]


def test_ordinary_calls_take_the_lane_and_answer_as_their_routes_do(
    fast: TestClient, slow: TestClient, key: str, new_code: Callable[..., str]
) -> None:
    same(fast.get("/api/healthz"), slow.get("/api/healthz"))
    for users in (
        [{"external_user_id": "nobody"}],
        [{"external_user_id": "a b", "status": "left", "at": None}],
    ):
        asked = {"json": {"users": users}, "headers": bearer(key)}
        same(fast.post(HEARTBEAT, **asked), slow.post(HEARTBEAT, **asked))
    bound = {"return_url": RETURN_URL, "challenge": s256(VERIFIER)}
    for facts in ({}, bound):
        given = [
            client.post(
                EXCHANGE,
                json={"code": new_code(**facts), "return_url": RETURN_URL}
                | ({"code_verifier": VERIFIER} if facts else {}),
                headers={**bearer(key), "Idempotency-Key": "k"},
            )
            for client in (fast, slow)
        ]
        assert [answer.status_code for answer in given] == [200, 200]
        one, other = (answer.json() for answer in given)
        assert one.keys() == other.keys()
        assert all(one[part].keys() == other[part].keys() for part in one)
    same(*[client.post(EXCHANGE, json={"code": "no"}, headers=bearer(key)) for client in (fast, slow)])
    assert LONG_WAYS == []


def test_reads_take_the_lane_and_answer_as_their_routes_do(
    fast: TestClient, slow: TestClient, slow_app: FastAPI, integration_id: str, key: str
) -> None:
    with services(slow_app).transaction() as session:
        users = waitlist.users_with_grant(session, integration_id, 12)
    beats = {"users": [{"external_user_id": user} for user in users]}
    assert fast.post(HEARTBEAT, json=beats, headers=bearer(key)).json()["accepted"] == 12
    same(*[client.get(ME, headers=bearer(key)) for client in (fast, slow)])
    for limit in ("", "?limit=5", "?limit=12", "?limit=100"):
        answers = [client.get(LIVE + limit, headers=bearer(key)) for client in (fast, slow)]
        bodies = [answer.json() for answer in answers]
        assert [len(body.pop("as_of")) for body in bodies] == [27, 27]
        assert bodies[0] == bodies[1] and bodies[0]["count"] >= 12
    assert LONG_WAYS == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=05", "limit=5&limit=6", "cursor=x", "x=1"])
def test_unusual_queries_are_answered_as_the_route_does(
    fast: TestClient, slow: TestClient, key: str, query: str
) -> None:
    for path in (LIVE, ME):
        answers = [client.get(f"{path}?{query}", headers=bearer(key)) for client in (fast, slow)]
        codes = [(answer.status_code, answer.json().get("code")) for answer in answers]
        assert codes[0] == codes[1]


names = st.one_of(
    st.sampled_from(["nobody", "", " ", "a" * 200, "a" * 201, "ü", "a\x00b", "\ud800", "a\u202eb", "\x7f"]),
    st.text(max_size=5),
)
moments = st.sampled_from(
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00.123456+05:30",
        "2026-11-01T12:00:00.1Z",
        "2026-11-01T12:00:00",
        "2026-11-01 12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T12:00:60Z",
        "2026-11-01T12:00:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "20261101T120000Z",
        "2026-11-01",
        "now",
    ]
)
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), names, moments)
users = st.dictionaries(
    st.sampled_from(["external_user_id", "status", "at", "more"]), values, max_size=4
) | st.fixed_dictionaries(
    {"external_user_id": names},
    optional={
        "status": st.sampled_from(["live", "left", "gone", 1]),
        "at": moments | st.integers() | st.none(),
    },
)
heartbeats = st.one_of(
    st.fixed_dictionaries({"users": st.lists(users | values, max_size=3)}),
    st.dictionaries(st.sampled_from(["users", "x"]), values),
    values,
)
exchanges = st.fixed_dictionaries(
    {"code": values},
    optional={
        "return_url": values | st.just(RETURN_URL),
        "code_verifier": values | st.sampled_from([VERIFIER, "short", "v" * 129, "v" * 42 + "\n"]),
        "more": values,
    },
)


@given(body=st.one_of(heartbeats.map(json.dumps).map(str.encode), st.binary(max_size=20)))
@hypothesis_settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_heartbeat_is_answered_as_its_route_does(
    fast: TestClient, slow: TestClient, key: str, body: bytes
) -> None:
    same(*[client.post(HEARTBEAT, content=body, headers=bearer(key)) for client in (fast, slow)])


@given(
    body=st.one_of(exchanges.map(json.dumps).map(str.encode), st.binary(max_size=20)),
    idempotency=st.none() | st.sampled_from(["k", "", "a b", "k" * 256, "\xff"]),
)
@hypothesis_settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_exchange_is_answered_as_its_route_does(
    fast: TestClient, slow: TestClient, key: str, body: bytes, idempotency: str | None
) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (name.encode(), value.encode()) for name, value in bearer(key).items()
    ]
    if idempotency is not None:
        headers.append((b"Idempotency-Key", idempotency.encode("latin-1")))
    same(*[client.post(EXCHANGE, content=body, headers=headers) for client in (fast, slow)])


@pytest.mark.parametrize("path", [HEARTBEAT, EXCHANGE])
@pytest.mark.parametrize(
    "change",
    [
        {"Authorization": "Bearer no"},
        {"Authorization": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": ""},
        {"Content-Length": "300000"},
    ],
)
def test_unusual_headers_are_answered_as_the_route_does(
    fast: TestClient, slow: TestClient, key: str, path: str, change: dict[str, str]
) -> None:
    body = b'{"users":[{"external_user_id":"nobody"}],"code":"no"}'
    headers = {**bearer(key), **change}
    same(*[client.post(path, content=body, headers=headers) for client in (fast, slow)])


def test_bodies_in_pieces_and_too_large_ones(fast: TestClient, slow: TestClient, key: str) -> None:
    body = b'{"users":[{"external_user_id":"nobody"}]}'
    for pieces in ([body[:9], body[9:]], [b" " * 200_000] * 2, [body + b" " * 300_000], [b""]):
        same(*[client.post(HEARTBEAT, content=iter(pieces), headers=bearer(key)) for client in (fast, slow)])


def test_a_switched_off_integration_is_turned_away(
    fast: TestClient, fast_app: FastAPI, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(services(fast_app).flags), "integration_enabled", lambda *_: False)
    answer = fast.post(HEARTBEAT, json={"users": [{"external_user_id": "x"}]}, headers=bearer(key))
    assert (answer.status_code, answer.json()["code"]) == (403, "integration_disabled")


def test_a_key_that_was_taken_back_is_refused_within_a_moment(
    fast: TestClient, fast_app: FastAPI, partner_keys: dict[str, str]
) -> None:
    at = services(fast_app)
    with at.transaction() as session:
        key_id, key = keys.mint(session, list(partner_keys)[-1], at.clock())
    beat = {"json": {"users": [{"external_user_id": "x"}]}, "headers": bearer(key)}
    assert [fast.post(HEARTBEAT, **beat).status_code for _ in range(2)] == [200, 200]
    assert len(LONG_WAYS) == 1
    with at.transaction() as session:
        session.execute(text("update api_keys set revoked_at = now() where id = :id"), {"id": key_id})
    until(lambda: fast.post(HEARTBEAT, **beat).status_code == 401, within=2)


def test_who_calls_too_often_is_told_when_to_come_back(seeded: Settings, key: str) -> None:
    service = seeded.service.model_copy(update={"rate_limit_per_second": 0.5, "rate_limit_burst": 5})
    app = create_app(replace(seeded, service=service))
    with TestClient(in_fast_lane(app), base_url=BASE_URL) as client:
        until(lambda: services(app).keys.hearing)
        beat = {"json": {"users": [{"external_user_id": "x"}]}, "headers": bearer(key)}
        answers = [client.post(HEARTBEAT, **beat) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers[:5]] == [
        f"r={left}" for left in (4, 3, 2, 1, 0)
    ]
    assert answers[-1].json()["code"] == "rate_limited" and int(answers[-1].headers["retry-after"]) >= 1
