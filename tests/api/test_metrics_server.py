"""Metrics on a port of their own: for the loopback, for whoever has the token, and never in the way."""

import socket

import httpx
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry
from pydantic import SecretStr

from api import metrics_server
from api.settings.service import ServiceSettings


def counted() -> CollectorRegistry:
    registry = metrics_server.registry()
    Counter("firstuser_of_this_test", "x", registry=registry).inc(3)
    return registry


def test_they_are_read_by_prometheus() -> None:
    with metrics_server.serving(counted(), 0, ServiceSettings()) as address:
        assert address and address.startswith("http://127.0.0.1:")
        answer = httpx.get(address)
        found = {one.name: one for one in text_string_to_metric_families(answer.text)}
        assert found["firstuser_of_this_test"].samples[0].value == 3
        assert "process_resident_memory_bytes" in found
        assert httpx.get(address.removesuffix("/metrics")).status_code == 404


def test_the_token_has_to_be_sent_where_there_is_one() -> None:
    service = ServiceSettings(metrics_token=SecretStr("s3cret"))
    with metrics_server.serving(counted(), 0, service) as address:
        assert address
        for said in ("", "Bearer s3cre", "Bearer s3cretx", b"Bearer s3cret\xff"):
            assert httpx.get(address, headers=[("Authorization", said)]).status_code == 404  # type: ignore[list-item]
        assert httpx.get(address, headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_a_port_that_is_taken_keeps_nobody_from_working() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with metrics_server.serving(counted(), port, ServiceSettings()) as address:
            assert address is None


def test_without_a_port_nothing_is_served() -> None:
    with metrics_server.serving(counted(), None, ServiceSettings()) as address:
        assert address is None
