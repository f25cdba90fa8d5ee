"""The whole application over a seeded database, and visitors to it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments.local.seed import partner_keys_file
from tests.inbox import code_sent
from tests.product import BASE_URL, OWNER_PHONE, Itself, seeded

__all__ = ["seeded"]

Visit = Callable[[], TestClient]


@pytest.fixture(scope="session")
def app(seeded: Settings) -> FastAPI:
    return Itself(partial(create_app, seeded)).app


@pytest.fixture(scope="session")
def outbox(seeded: Settings) -> Outbox:
    return Outbox(seeded.service.outbox_dir)


@pytest.fixture(scope="session")
def visit(app: FastAPI) -> Iterator[Visit]:
    """A fresh browser at each call; it names its origin as ours do."""
    opened: list[TestClient] = []

    def visitor() -> TestClient:
        client = TestClient(
            app,
            base_url=BASE_URL,
            headers={"Origin": BASE_URL},
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        opened.append(client)
        return client

    yield visitor
    for client in opened:
        client.close()


@pytest.fixture
def anyone(visit: Visit) -> TestClient:
    return visit()


def log_in(client: TestClient, outbox: Outbox, phone: str = OWNER_PHONE) -> str:
    """Log in as a person does; returns the code that was used."""
    asked_at = datetime.now(UTC)
    assert client.post("/auth/otp/start", json={"phone": phone}).status_code == 202
    code = code_sent(outbox, phone, asked_at)
    assert client.post("/auth/otp/verify", json={"code": code}).status_code == 200
    return code


@pytest.fixture(scope="session")
def founder(visit: Visit, outbox: Outbox) -> TestClient:
    client = visit()
    log_in(client, outbox)
    return client


@pytest.fixture(scope="session")
def partner_keys(seeded: Settings) -> dict[str, str]:
    return json.loads(partner_keys_file(seeded).read_text())


@pytest.fixture(scope="session")
def integration_id(partner_keys: dict[str, str]) -> str:
    """The homepage space's integration."""
    return next(iter(partner_keys))


@pytest.fixture
def partner(app: FastAPI, partner_keys: dict[str, str], integration_id: str) -> Iterator[TestClient]:
    """A partner's back end: a key, no cookie, no origin."""
    with TestClient(
        app, base_url=BASE_URL, headers={"Authorization": f"Bearer {partner_keys[integration_id]}"}
    ) as client:
        yield client
