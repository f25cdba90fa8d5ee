"""The local hosting provider: only the asked-for deploy counts as live, production is never re-pointed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.core.errors import NotFound, TimedOut
from api.providers.hosting.local import LocalHosting
from api.providers.hosting.pointer import read_pointer

COPY_DSN = "postgresql://firstuser_app@127.0.0.1:1/firstuser"


class Staging:
    """A readiness endpoint that answers with what a restart gives it."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.answer: dict[str, Any] = {
            "status": "ok",
            "checks": {},
            "deploy_id": "old",
            "restored_copy": None,
        }
        self.status = 200
        self.restarted: list[str] = []

    def restart(self, part: str) -> None:
        self.restarted.append(part)
        pointer = read_pointer(self.state_dir, "staging")
        self.answer |= {"deploy_id": pointer.deploy_id, "restored_copy": pointer.restored_copy}


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path)


@pytest.fixture
def url(staging: Staging) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(staging.answer).encode()
            self.send_response(staging.status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def hosting(tmp_path: Path, staging: Staging, url: str) -> LocalHosting:
    return LocalHosting(tmp_path, {"staging": url}, staging.restart)


def test_point_and_back(hosting: LocalHosting, staging: Staging, tmp_path: Path) -> None:
    home = hosting.pointer("staging")
    at = datetime(2026, 11, 22, 3, tzinfo=UTC)
    away = hosting.point("staging", COPY_DSN, restored_copy="drill-1", as_of=at)
    state = hosting.wait_live("staging", away, timeout_s=2)
    assert (state.healthy, state.restored_copy) == (True, "drill-1")
    assert read_pointer(tmp_path, "staging").as_of == at.isoformat()

    back = hosting.point("staging", home)
    assert hosting.wait_live("staging", back, timeout_s=2).restored_copy is None
    assert "DATABASE_URL" not in read_pointer(tmp_path, "staging").environment()
    assert staging.restarted == ["api-staging", "api-staging"]
    assert away != back


def test_an_older_deploy_that_still_answers_is_not_live(tmp_path: Path, url: str) -> None:
    never_restarts = LocalHosting(tmp_path, {"staging": url}, lambda _part: None)
    deploy = never_restarts.point("staging", COPY_DSN)
    with pytest.raises(TimedOut, match="it serves old"):
        never_restarts.wait_live("staging", deploy, timeout_s=0.2)


def test_a_deploy_that_is_not_ready_is_not_live(hosting: LocalHosting, staging: Staging) -> None:
    staging.status = 503
    staging.answer["checks"] = {"database": {"status": "error"}, "migrations": {"status": "ok"}}
    deploy = hosting.point("staging", COPY_DSN)
    with pytest.raises(TimedOut, match="database"):
        hosting.wait_live("staging", deploy, timeout_s=0.2)


def test_a_service_that_is_away_is_a_state_not_an_exception(tmp_path: Path) -> None:
    hosting = LocalHosting(tmp_path, {"staging": "http://127.0.0.1:9"}, lambda _part: None)
    state = hosting.state("staging")
    assert not state.healthy
    assert "no answer" in state.detail


def test_production_is_never_re_pointed(hosting: LocalHosting, staging: Staging) -> None:
    with pytest.raises(NotFound):
        hosting.point("production", COPY_DSN)
    assert staging.restarted == []


def test_a_password_is_kept_in_a_file_of_its_own_until_the_service_goes_home(
    hosting: LocalHosting, tmp_path: Path
) -> None:
    hosting.point("staging", "postgresql://app:pl%3Aanted@127.0.0.1/x?sslmode=require")
    pointer = hosting.pointer("staging")
    file = Path(parse_qs(urlsplit(pointer).query)["passfile"][0])
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("*:*:*:app:pl\\:anted\n", 0o600)
    assert pointer.startswith("postgresql://app@127.0.0.1/x?sslmode=require&passfile=")
    assert "anted" not in (tmp_path / "services" / "staging.json").read_text()
    hosting.point("staging", "own")
    assert not file.exists()
