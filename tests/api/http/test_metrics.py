"""Metrics: for whoever has the token, in a format that Prometheus reads."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from api import request_metrics
from api.core.drills import service as drills
from api.core.webhooks import totals
from api.db.engine import DATABASE_AWAY
from api.http import metrics
from api.http.measured import Measured
from api.http.services import Services
from api.settings import Settings

ROOT = Path(__file__).parents[3]
TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def scraped(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings: Settings = app.state.services.settings
    monkeypatch.setattr(settings.service, "metrics_token", SecretStr("s3cret"))
    with app.state.services.transaction() as session:
        session.execute(text("truncate webhook_totals"))
        totals.add(session, {"claimed": 5, "delivered": 3, "exhausted": 1, "le:25": 4, "latency_ms": 40})
    yield


@pytest.mark.usefixtures("scraped")
def test_they_are_read_by_prometheus(anyone: TestClient) -> None:
    assert anyone.get("/api/metrics", headers=TOKEN).headers["content-type"].startswith("text/plain")
    samples = _samples(anyone)
    assert samples["firstuser_webhook_claimed_total",] == 5
    assert samples["firstuser_webhook_settled_total", "delivered"] == 3
    assert samples["firstuser_webhook_settled_total", "exhausted"] == 1
    assert samples["firstuser_webhook_latency_seconds_bucket", "0.025"] == 4
    assert samples["firstuser_webhook_latency_seconds_count",] == 4
    for state in ("due", "in_flight", "held", "slowed", "disabled", "exhausted"):
        assert samples["firstuser_webhook_deliveries", state] >= 0
    assert samples["firstuser_webhook_oldest_due_seconds",] >= 0
    assert ("firstuser_alerts_open", "critical") in samples


@pytest.mark.usefixtures("scraped")
def test_nobody_else_sees_them(anyone: TestClient, founder: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Bearer "}, {"X": "s3cret"}):
        assert anyone.get("/api/metrics", headers=headers).status_code == 404
        assert founder.get("/api/metrics", headers=headers).status_code == 404


def test_without_a_token_they_are_not_there(anyone: TestClient) -> None:
    for headers in ({}, TOKEN, {"Authorization": "Bearer "}):
        assert anyone.get("/api/metrics", headers=headers).status_code == 404


@pytest.mark.usefixtures("scraped")
def test_requests_are_counted_by_route_and_never_by_path(anyone: TestClient, founder: TestClient) -> None:
    before = _samples(anyone)
    for slug in ("northwind", "elsewhere", "nowhere"):
        founder.get(f"/api/founder/v1/spaces/{slug}")
    for path in ("/no-such-page", "/nor/this/one", "/static/base.css", "/static/never.css"):
        anyone.get(path)
    anyone.request("BREW", "/api/healthz")
    after = _samples(anyone)

    def more(method: str, route: str, status: int) -> float:
        key = ("firstuser_http_requests_total", method, route, str(status))
        return after.get(key, 0) - before.get(key, 0)

    assert more("GET", "/api/founder/v1/spaces/{slug}", 404) >= 2
    assert more("GET", request_metrics.UNMATCHED, 404) == 2
    assert more("GET", "/static/{path}", 404) >= 1
    assert more("OTHER", "/api/healthz", 405) == 1
    routes = {labels[1] for name, *labels in after if name == "firstuser_http_requests_total"}
    assert not [route for route in routes if "northwind" in route or "no-such" in route]


@pytest.mark.usefixtures("scraped")
def test_a_duration_is_in_every_bucket_above_it(anyone: TestClient) -> None:
    for ms in (0.1, 5, 5.1, 99_999):
        request_metrics.counts.observe("GET", "/of-this-test", 200, ms)
    request_metrics.counts.observe("GET", "/of-this-test", 500, 30)
    name, found = "firstuser_http_request_duration_seconds", _samples(anyone)
    in_buckets = {le: found[f"{name}_bucket", le, "GET", "/of-this-test"] for le in ("0.005", "0.01", "+Inf")}
    assert in_buckets == {"0.005": 2, "0.01": 3, "+Inf": 5}
    assert found[f"{name}_count", "GET", "/of-this-test"] == 5
    assert found[f"{name}_sum", "GET", "/of-this-test"] == pytest.approx(100.0392)


@pytest.mark.usefixtures("scraped")
def test_without_the_database_the_process_tells_of_itself(
    app: FastAPI, anyone: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> Measured:
        raise DATABASE_AWAY[0]("select 1", {}, Exception("gone"))

    assert _samples(anyone)["firstuser_database_up",] == 1
    monkeypatch.setattr(metrics, "measure", away)
    monkeypatch.setattr(app.state.services.measured, "_known", None)
    found = _samples(anyone)
    assert found["firstuser_database_up",] == 0
    assert ("firstuser_build_info", "development", "dev") in found and ("process_open_fds",) in found
    assert ("firstuser_webhook_oldest_due_seconds",) not in found


@pytest.mark.usefixtures("scraped")
def test_what_was_proven_last_is_told(
    app: FastAPI, anyone: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services: Services = app.state.services
    ended = datetime(2099, 1, 2, tzinfo=UTC)
    with services.transaction() as session:
        drill_id = drills.begin(
            session,
            asked_target="latest",
            trigger="manual",
            flow_run_id=None,
            rto_target=900,
            rpo_target=60,
            check_names=[],
            now=ended - timedelta(minutes=1),
        )
        row = drills.row(session, drill_id)
        row.status, row.finished_at, row.rto_seconds, row.rpo_seconds = "passed", ended, 41.5, 0.2
    monkeypatch.setattr(services.measured, "_known", None)
    found = _samples(anyone)
    assert found["firstuser_drill_passed",] == 1
    assert found["firstuser_drill_last_passed_timestamp_seconds",] == ended.timestamp()
    assert (found["firstuser_drill_rto_seconds",], found["firstuser_drill_rpo_seconds",]) == (41.5, 0.2)
    assert {labels[0] for name, *labels in found if name == "firstuser_incidents_open"} == {"R1", "R2", "R3"}
    with services.transaction() as session:
        drills.row(session, drill_id).status = "failed"
    monkeypatch.setattr(services.measured, "_known", None)
    assert _samples(anyone)["firstuser_drill_passed",] == 0
    with services.transaction() as session:
        session.delete(drills.row(session, drill_id))


@pytest.mark.usefixtures("scraped")
def test_every_metric_is_described(anyone: TestClient) -> None:
    described = (ROOT / "docs" / "observability.md").read_text()
    text = anyone.get("/api/metrics", headers=TOKEN).text
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    ours = {name for name in told if name.startswith("firstuser_")}
    assert len(ours) > 15 and not [name for name in ours if f"`{name}" not in described]


def _samples(client: TestClient) -> dict[tuple[str, ...], float]:
    answer = client.get("/api/metrics", headers=TOKEN)
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
