"""Probes: alive without I/O, ready only with a database at the right revision."""

import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from tests.product import BASE_URL


def verbose(client: TestClient) -> tuple[int, dict[str, dict[str, str]]]:
    answer = client.get("/api/readyz?verbose")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()["checks"]


def away(seeded: Settings, url: str) -> FastAPI:
    platform = seeded.platform.model_copy(update={"database_url": SecretStr(url)})
    return create_app(replace(seeded, platform=platform))


def test_ready_with_everything_said(app: FastAPI) -> None:
    with TestClient(app, base_url=BASE_URL) as client:
        answer = client.get("/api/readyz?verbose").json()
        assert answer["status"] == "ok" and answer["environment"] == "development"
        assert answer["checks"]["migrations"]["expected"] == answer["checks"]["migrations"]["current"]
        assert client.get("/api/readyz").json() == {"status": "ok"}


def test_alive_though_the_database_is_away(seeded: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with TestClient(away(seeded, f"postgresql://x@127.0.0.1:{port}/x"), base_url=BASE_URL) as client:
        assert client.get("/api/healthz").json() == {"status": "ok"}
        status, checks = verbose(client)
        assert status == 503 and checks["database"]["status"] == "failing"
        page = client.get("/")
        assert (page.status_code, page.json()["code"]) == (503, "database_unavailable")
        assert page.headers["retry-after"]


def test_a_database_that_takes_the_call_and_says_nothing_is_given_up_on(seeded: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with TestClient(away(seeded, f"postgresql://x@127.0.0.1:{port}/x"), base_url=BASE_URL) as client:
            started = time.monotonic()
            assert client.get("/api/readyz").status_code == 503
            assert time.monotonic() - started < 5


def test_an_older_schema_is_not_ready(seeded: Settings) -> None:
    app = create_app(seeded)
    with TestClient(app, base_url=BASE_URL) as client:
        app.state.services.readiness._expected = "9999_next"
        status, checks = verbose(client)
    assert status == 503
    assert checks["migrations"]["detail"] == "run the migrations of this release"
    assert checks["database"]["status"] == "ok"


def test_the_schema_of_a_newer_release_is_ready(seeded: Settings) -> None:
    """What serves goes on serving while the next release rolls out, and can be gone back to."""
    app = create_app(seeded)
    with TestClient(app, base_url=BASE_URL) as client:
        app.state.services.readiness._expected = "0001_before"
        status, checks = verbose(client)
    assert status == 200
    assert checks["migrations"]["expected"] == "0001_before" != checks["migrations"]["current"]


def test_a_schema_that_nobody_knows_is_not_ready(seeded: Settings) -> None:
    app = create_app(seeded)
    with TestClient(app, base_url=BASE_URL) as client:
        number = app.state.services.readiness._expected.partition("_")[0]
        app.state.services.readiness._expected = f"{number}_of_another_branch"
        assert verbose(client)[0] == 503


def test_a_lost_connection_is_replaced(seeded: Settings, app: FastAPI) -> None:
    app = create_app(seeded)
    with TestClient(app, base_url=BASE_URL) as client:
        assert client.get("/api/readyz").status_code == 200
        readiness = app.state.services.readiness
        url = seeded.platform.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(%s)", [readiness._connection.info.backend_pid])
        readiness._cached = None
        client.get("/api/readyz")
        readiness._cached = None
        assert client.get("/api/readyz").status_code == 200


def test_draining_shows_at_once(seeded: Settings) -> None:
    app = create_app(seeded)
    with TestClient(app, base_url=BASE_URL) as client:
        assert client.get("/api/readyz").status_code == 200
        app.state.services.draining.begin()
        assert verbose(client)[1]["draining"]["status"] == "failing"
        assert client.get("/api/healthz").status_code == 200


def test_many_who_ask_at_once_cost_one_look(seeded: Settings) -> None:
    app = create_app(seeded)
    readiness = app.state.services.readiness
    looks: list[int] = []
    look = readiness._look

    async def counted() -> object:
        looks.append(1)
        return await look()

    readiness._look = counted
    with TestClient(app, base_url=BASE_URL) as client:
        threads = [threading.Thread(target=client.get, args=("/api/readyz",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(looks) == 1


def test_a_restored_copy_says_what_it_is(seeded: Settings) -> None:
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    service = seeded.service.model_copy(
        update={
            "env": "staging",
            "restored_copy": "drill-x",
            "as_of": moment,
            "deploy_id": "d7",
            "outbound": "live",
        }
    )
    app = create_app(replace(seeded, service=service))
    assert app.state.services.messenger.name == "outbox"
    with TestClient(app, base_url=BASE_URL) as client:
        answer = client.get("/api/readyz?verbose").json()
        assert (answer["deploy_id"], answer["restored_copy"]) == ("d7", "drill-x")
        assert datetime.fromisoformat(answer["as_of"]) == moment
        assert "Restored copy" in client.get("/").text
        assert app.state.services.clock() == moment
