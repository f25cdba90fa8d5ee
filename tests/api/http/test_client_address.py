"""Whose address it is: what a client says of itself counts for nothing, what a configured proxy says does."""

from dataclasses import replace

import pytest
from fastapi import FastAPI, Request
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from api.app import create_app
from api.http.client_address import client_ip, client_network
from api.settings import Settings
from tests.product import BASE_URL

SPOOFED = "203.0.113.66"


def behind(seeded: Settings, proxies: str) -> FastAPI:
    service = seeded.service.model_copy(update={"trusted_proxies": proxies})
    app = create_app(replace(seeded, service=service))

    def who(request: Request) -> dict[str, str]:
        return {"ip": client_ip(request), "scheme": request.url.scheme}

    app.add_api_route("/api/who", who)
    return app


@pytest.fixture(scope="module")
def alone(seeded: Settings) -> FastAPI:
    return behind(seeded, "")


@pytest.fixture(scope="module")
def proxied(seeded: Settings) -> FastAPI:
    return behind(seeded, "10.0.0.0/8, 192.0.2.7")


def seen(app: FastAPI, peer: str, forwarded_for: str | None) -> dict[str, str]:
    headers = {"X-Forwarded-Proto": "https"} | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
    with TestClient(app, base_url=BASE_URL, client=(peer, 1234)) as client:
        return client.get("/api/who", headers=headers).json()


@pytest.mark.parametrize("peer", ["198.51.100.1", "127.0.0.1", "10.0.0.1"])
def test_without_a_configured_proxy_nobody_is_believed(alone: FastAPI, peer: str) -> None:
    assert seen(alone, peer, SPOOFED) == {"ip": peer, "scheme": "http"}


@pytest.mark.parametrize("peer", ["198.51.100.1", "127.0.0.1", "192.0.2.8"])
def test_another_than_the_configured_proxy_is_not_believed(proxied: FastAPI, peer: str) -> None:
    assert seen(proxied, peer, SPOOFED) == {"ip": peer, "scheme": "http"}


@pytest.mark.parametrize("peer", ["10.9.8.7", "192.0.2.7"])
def test_the_proxy_is_believed_and_only_as_far_as_it_saw(proxied: FastAPI, peer: str) -> None:
    """What the client put in front of the list is its own claim."""
    assert seen(proxied, peer, "198.51.100.1") == {"ip": "198.51.100.1", "scheme": "https"}
    assert seen(proxied, peer, f"{SPOOFED}, 198.51.100.1")["ip"] == "198.51.100.1"
    assert seen(proxied, peer, f"{SPOOFED}, 198.51.100.1, 10.0.0.5")["ip"] == "198.51.100.1"
    assert seen(proxied, peer, None)["ip"] == peer


@pytest.mark.parametrize(
    ("peer", "counted_as"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_household_counts_as_one(peer: str, counted_as: str) -> None:
    assert client_network(HTTPConnection({"type": "http", "client": (peer, 1)})) == counted_as


def test_nobody_says_where_it_comes_from() -> None:
    assert client_network(HTTPConnection({"type": "http", "client": None})) == ""
