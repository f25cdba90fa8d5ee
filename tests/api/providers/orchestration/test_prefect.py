"""The thin Prefect client, against a server that answers as Prefect does."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from api.core.alerts.runs import Phase
from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable
from api.providers.orchestration.prefect import DeploymentState, LastRun, Prefect

RUN = "8c6f0a9e-0000-4000-8000-000000000001"


def client(handler: httpx.MockTransport, auth: str | None = "admin:pass") -> Prefect:
    return Prefect("http://127.0.0.1:4200/api", "http://127.0.0.1:4200", auth, transport=handler)


def test_a_run_is_started_by_the_deployments_name() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return (
            httpx.Response(200, json={"id": "dep-1"})
            if request.method == "GET"
            else httpx.Response(201, json={"id": RUN})
        )

    prefect = client(httpx.MockTransport(answer))
    assert prefect.start("restore-drill/restore-drill", {"target": "latest"}, "key-1") == RUN
    assert [request.url.path for request in seen] == [
        "/api/deployments/name/restore-drill/restore-drill",
        "/api/deployments/dep-1/create_flow_run",
    ]
    assert json.loads(seen[1].content) == {"parameters": {"target": "latest"}, "idempotency_key": "key-1"}
    assert seen[0].headers["authorization"].startswith("Basic ")
    assert prefect.run_url(RUN) == f"http://127.0.0.1:4200/runs/flow-run/{RUN}"


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Rejected), (404, Rejected), (422, Rejected), (429, Unavailable), (500, Unavailable)],
)
def test_each_refusal_says_whether_to_try_again(status: int, error: type[ProviderError]) -> None:
    prefect = client(httpx.MockTransport(lambda _: httpx.Response(status, text="admin:pass")))
    with pytest.raises(error) as raised:
        prefect.start("a/b", {}, "k")
    assert raised.value.fix and "pass" not in str(raised.value)


def test_away_and_silent() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def hang(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    with pytest.raises(Unavailable, match="firstuser up"):
        client(httpx.MockTransport(refuse)).start("a/b", {}, "k")
    with pytest.raises(TimedOut):
        client(httpx.MockTransport(hang)).start("a/b", {}, "k")
    with pytest.raises(Unavailable, match="FIRSTUSER_PREFECT_API_URL"):
        Prefect("", "", None).start("a/b", {}, "k")


def test_runs_in_trouble_come_with_their_flow_unless_a_later_one_put_it_right() -> None:
    def one(name: str, state: str, **more: object) -> dict[str, object]:
        said = {"name": state, "timestamp": "2026-11-24T12:00:00Z", "message": "a\n b"}
        return {"id": name, "name": name, "flow_id": "f", "state": said, "tags": ["minutely"], **more}

    answers: dict[str, list[dict[str, object]]] = {
        "Late": [one("late", "Late", expected_start_time="2026-11-24T11:58:00Z")],
        "PENDING": [one("taken", "Submitting")],
        "RUNNING": [one("busy", "Running")],
        "Crashed": [
            one("dead", "Crashed", end_time="2026-11-24T11:59:00Z"),
            one("mended", "Crashed", end_time="2026-11-24T11:00:00Z"),
        ],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/flows/f":
            return httpx.Response(200, json={"name": "sweep"})
        asked = json.loads(request.content)
        if request.url.path.endswith("/count"):
            good_since = asked["flow_runs"]["end_time"]["after_"]
            assert asked["flows"] == {"name": {"any_": ["sweep"]}}
            return httpx.Response(200, json=int(good_since.startswith("2026-11-24T11:00")))
        (wanted,) = asked["flow_runs"]["state"].values()
        return httpx.Response(200, json=answers[wanted["any_"][0]])

    found = client(httpx.MockTransport(answer)).troubled(datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert [(run.name, run.phase, run.since.minute) for run in found] == [
        ("late", Phase.LATE, 58),
        ("taken", Phase.WAITING, 0),
        ("busy", Phase.RUNNING, 0),
        ("dead", Phase.DEAD, 59),
    ]
    assert {(run.flow, run.minutely, run.message) for run in found} == {("sweep", True, "a b")}


def test_each_deployment_comes_with_its_newest_run_and_its_next() -> None:
    deployments = [
        {"id": "d1", "name": "sweep", "flow_id": "f", "paused": False},
        {"id": "d2", "name": "by hand", "flow_id": "f", "paused": True},
    ]
    newest = {
        "id": RUN,
        "name": "sweep/2026-11-24-1200",
        "state": {"type": "FAILED", "name": "NO-GO", "timestamp": "2026-11-24T12:00:30Z", "message": "a\n b"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/flows/f":
            return httpx.Response(200, json={"name": "sweep"})
        if request.url.path == "/api/deployments/filter":
            return httpx.Response(200, json=deployments)
        asked = json.loads(request.content)
        assert asked["limit"] == 1
        if asked["deployments"] != {"id": {"any_": ["d1"]}}:
            return httpx.Response(200, json=[])
        coming = {"expected_start_time": "2026-11-24T12:01:00Z"}
        return httpx.Response(200, json=[newest if "start_time" in asked["flow_runs"] else coming])

    by_hand, swept = client(httpx.MockTransport(answer)).deployments()
    assert swept.last == LastRun(
        RUN, "sweep/2026-11-24-1200", "FAILED", "NO-GO", "a b", datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
    )
    assert swept.next_at == datetime(2026, 11, 24, 12, 1, tzinfo=UTC) and not swept.paused
    assert by_hand == DeploymentState("sweep", "by hand", True, None, None)
