"""Fixtures of the product: a migrated database per test process, a seeded one, settings, people.

`product_url`   the URL of a migrated, empty database, as its owner
`session`       a session on it that is rolled back after the test
`seeded`        settings whose own database holds a small seeded data set
Import the fixtures into the `conftest.py` of a folder that uses them.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api.core.crypto import Signer, Vault, data_keys
from api.db import migrate
from api.db.engine import make_engine
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.local.seed import seed

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
OWNER_PHONE = "+15550100001"
OTHER_PHONE = "+15550100002"
SLUG = "northwind"
BASE_URL = "http://127.0.0.1:8000"
DATA_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SESSION_SECRET = "a session secret that is long enough"
_TEMPLATE, _MIGRATING = "migrated", "migrating"
WIDGET_SECRET = "a widget secret that is long enough!"


def new_database(cluster: Cluster, name: str = "") -> str:
    """A migrated database of its own; the URL connects as its owner."""
    name = name or f"product_{secrets.token_hex(4)}"
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as connection:
        found = connection.execute("select from pg_database where datname = %s", [_TEMPLATE]).fetchone()
        if found is None:
            _create(connection, _MIGRATING)
            _open_to_owner(cluster, _MIGRATING)
            migrate.upgrade(cluster.dsn(roles.OWNER, _MIGRATING))
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(
                    *map(sql.Identifier, (_MIGRATING, _TEMPLATE))
                )
            )
        _create(connection, name, _TEMPLATE)
    _open_to_owner(cluster, name)
    return cluster.dsn(roles.OWNER, name)


def _create(connection: psycopg.Connection, name: str, template: str = "template1") -> None:
    connection.execute(
        sql.SQL("create database {} owner {} template {}").format(
            *map(sql.Identifier, (name, roles.OWNER, template))
        )
    )


def _open_to_owner(cluster: Cluster, name: str) -> None:
    with psycopg.connect(cluster.dsn(roles.ADMIN, name)) as connection:
        roles.ensure_privileges(connection, name)


@pytest.fixture(scope="session")
def product_url(cluster: Cluster) -> str:
    return new_database(cluster)


@pytest.fixture(scope="session")
def engine(product_url: str) -> Iterator[Engine]:
    made = make_engine(product_url, pool_size=5)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(data_keys(DATA_KEY))


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer([SESSION_SECRET], "test")


def product_settings(settings: Settings, database_url: str, state: Path) -> Settings:
    """Settings of a product that stands alone, whatever the caller's environment says."""
    platform = settings.platform.model_copy(
        update={
            "database_url": SecretStr(database_url),
            "session_secret": SecretStr(SESSION_SECRET),
            "session_secret_previous": None,
            "integration_widget_signing_secret": SecretStr(WIDGET_SECRET),
            "integration_widget_signing_secret_previous": None,
            "public_app_url": BASE_URL,
            "founder_phones": f"{OWNER_PHONE},{OTHER_PHONE}",
            "homepage_owner_phone": OWNER_PHONE,
            "homepage_space_slug": SLUG,
        }
    )
    service = settings.service.model_copy(
        update={
            "env": "development",
            "data_key": SecretStr(DATA_KEY),
            "data_key_previous": None,
            "outbound": "outbox",
            "outbox_dir": state / "outbox",
            "restored_copy": None,
            "as_of": None,
            "prefect_api_url": "",
        }
    )
    stack = settings.stack.model_copy(update={"state_dir": state})
    return replace(settings, platform=platform, service=service, stack=stack)


class Itself(httpx.BaseTransport):
    """Carries the product's calls to itself where nobody listens at its address. `create` makes it."""

    def __init__(self, create: Callable[[httpx.BaseTransport], FastAPI]) -> None:
        self.app = create(self)
        self._client: TestClient | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        client = self._client = self._client or TestClient(
            self.app, base_url=BASE_URL, follow_redirects=False, raise_server_exceptions=False
        )
        answer = client.request(
            request.method, str(request.url), headers=dict(request.headers), content=request.read()
        )
        kept = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return httpx.Response(answer.status_code, headers=kept, content=answer.content)


@pytest.fixture(scope="session")
def seeded(
    cluster: Cluster, cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """400 people who joined until just now."""
    url = new_database(cluster)
    settings = product_settings(cluster_settings, url, tmp_path_factory.mktemp("state"))
    seed(url, settings, 0.02, datetime.now(UTC))
    return settings
