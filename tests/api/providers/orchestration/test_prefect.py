"""The thin Prefect client, against a server that answers as Prefect does."""

import json

import httpx
import pytest

from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable
from api.providers.orchestration.prefect import Prefect

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
