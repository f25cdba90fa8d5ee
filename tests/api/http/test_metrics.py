"""Metrics: for whoever has the token, in a format that Prometheus reads."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.webhooks import totals
from api.settings import Settings

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
    answer = anyone.get("/api/metrics", headers=TOKEN)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
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
