"""Both example partners against a service that is not ours: the loop goes on, and an outage is no crash."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from api.core.webhooks import signing
from tests.examples.conftest import COMMANDS, Integration, quiet_port, running, someone, until
from tests.receiver import Answer, Receiver, receiving

API = "/api/integration/v1"


@pytest.fixture
def stand_in() -> Iterator[Receiver]:
    """Says the same to every call, which is enough of an answer to each."""
    with receiving() as opened:
        yield opened


def unknown(url: str) -> Integration:
    """A place that no service knows of."""
    return Integration("int_none", "fu_live_none", signing.generate(), url, httpx.Client())


def beats(stand_in: Receiver) -> list[list[dict[str, str]]]:
    bodies = [json.loads(one.body) for one in stand_in.received if one.path == f"{API}/heartbeat"]
    return [body["users"] for body in bodies]


@pytest.mark.parametrize("language", list(COMMANDS))
def test_the_heartbeat_goes_on_as_fast_as_it_is_asked_to(
    stand_in: Receiver, tmp_path: Path, language: str
) -> None:
    user_id, url = someone(), f"http://127.0.0.1:{quiet_port()}"
    said = {"redirect_url": "/", "user": {"external_user_id": user_id}, "next_in": 0.1}
    stand_in.answer = Answer(body=json.dumps(said).encode())
    service = f"http://127.0.0.1:{stand_in.port}"
    with (
        running(language, service, unknown(url), tmp_path / "log"),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        client.post("/signup", data={"user_id": user_id})
        client.post("/join")
        state = json.loads(stand_in.received[0].body)["state"]
        client.get(f"/firstuser/callback?{urlencode({'code': 'c', 'state': state})}")
        until(lambda: len(beats(stand_in)) >= 4)
        client.post("/logout")
    assert beats(stand_in)[0] == [{"external_user_id": user_id, "status": "live"}]
    assert beats(stand_in)[-1] == [{"external_user_id": user_id, "status": "left"}]
    paths = {one.path: one.headers for one in stand_in.received}
    assert all("idempotency-key" in paths[f"{API}/{path}"] for path in ("waitlist/start", "access/exchange"))


@pytest.mark.parametrize("language", list(COMMANDS))
def test_someone_elses_code_does_not_change_who_one_is(
    stand_in: Receiver, tmp_path: Path, language: str
) -> None:
    url = f"http://127.0.0.1:{quiet_port()}"
    said = {"redirect_url": "/", "user": {"external_user_id": "somebody-else"}, "next_in": 30}
    stand_in.answer = Answer(body=json.dumps(said).encode())
    service = f"http://127.0.0.1:{stand_in.port}"
    with (
        running(language, service, unknown(url), tmp_path / "log"),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        client.post("/signup", data={"user_id": someone()})
        client.post("/join")
        state = json.loads(stand_in.received[0].body)["state"]
        query = urlencode({"code": "c", "state": state})
        assert client.get(f"/firstuser/callback?{query}").status_code == 403
        assert client.get("/app").headers["location"] == "/"


@pytest.mark.parametrize("language", list(COMMANDS))
def test_an_outage_is_said_and_survived(tmp_path: Path, language: str) -> None:
    url, log = f"http://127.0.0.1:{quiet_port()}", tmp_path / "log"
    with (
        running(language, f"http://127.0.0.1:{quiet_port()}", unknown(url), log),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        client.post("/signup", data={"user_id": someone()})
        assert client.post("/join").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert "FirstUser cannot be reached" in log.read_text()
