"""Ops: drills, backups and the button, over a database of drills that ended well, badly and not at all."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.drills.models import Drill
from api.core.errors import Unavailable
from api.core.ports import RestorePoint
from api.providers.orchestration.prefect import DeploymentState, LastRun

RUN = "0b6f5ca6-0000-4000-8000-000000000001"
API = "/api/founder/v1/ops"
PAGE = {"Accept": "text/html"}


class Orchestrator:
    """Stands in for Prefect: remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []
        self.away = False

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> str:
        if self.away:
            raise Unavailable(
                "Prefect cannot be reached.", provider="prefect", operation="start", fix="Start it."
            )
        self.asked.append((deployment, parameters, idempotency_key))
        return RUN

    def deployments(self) -> list[DeploymentState]:
        if self.away:
            raise Unavailable(
                "Prefect cannot be reached.", provider="prefect", operation="read", fix="Start it."
            )
        at = datetime.now(UTC) - timedelta(minutes=3)
        bad = LastRun(RUN, "preflight/1", "FAILED", "NO-GO", "2 checks <fail>", at)
        return [
            DeploymentState("preflight", "preflight", False, bad, None),
            DeploymentState("secret-rotation", "scheduled", True, None, at + timedelta(days=1)),
        ]

    def run_url(self, flow_run_id: str) -> str:
        return f"http://127.0.0.1:4200/runs/flow-run/{flow_run_id}"


class Backups:
    def __init__(self, points: list[RestorePoint]) -> None:
        self.points = points

    def restore_points(self) -> list[RestorePoint]:
        if not self.points:
            raise Unavailable(
                "The store cannot be reached.", provider="s3", operation="list", fix="Check the keys."
            )
        return self.points


@pytest.fixture
def orchestrator() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
def backups() -> Backups:
    now = datetime.now(UTC)
    full = RestorePoint("b-full", "full", now - timedelta(days=1), now, 31_000_000, ("b-full",), now)
    newer = RestorePoint(
        "b-inc", "incremental", now - timedelta(minutes=4), now, 2_000_000, ("b-full", "b-inc")
    )
    return Backups([full, newer])


@pytest.fixture(autouse=True)
def wired(app: FastAPI, orchestrator: Orchestrator, backups: Backups) -> Iterator[None]:
    before = app.state.services
    app.state.services = replace(before, prefect=orchestrator, backups=lambda: backups)
    yield
    app.state.services = before
    with before.transaction() as session:
        session.execute(text("delete from ops.drills"))


def drill(status: str, age: timedelta, **changes: Any) -> Drill:
    at = datetime.now(UTC) - age
    failed = {"name": "digests", "status": "fail", "expected": "8 rows", "observed": "7 rows", "fix": "Look."}
    fields: dict[str, Any] = {
        "id": f"drl_{status}",
        "status": status,
        "phase": "done",
        "trigger": "schedule",
        "flow_run_id": None,
        "asked_target": "latest",
        "target_time": at,
        "rto_target": 900.0,
        "rpo_target": 120.0,
        "rto_parts": {"fetch": 2.0, "replay": 6.5},
        "rpo_parts": {},
        "rto_seconds": 8.5,
        "rpo_seconds": 3.0,
        "check_names": [],
        "checks": [failed] if status == "failed" else [],
        "next_step": "Look.",
        "issues": ["digests: 7 rows <b>instead</b> of 8"] if status == "failed" else [],
        "started_at": at,
        "finished_at": at,
        **changes,
    }
    return Drill(**fields)


@pytest.fixture
def drills(app: FastAPI) -> None:
    with app.state.services.transaction() as session:
        session.add(drill("passed", timedelta(days=2)))
        session.add(drill("failed", timedelta(days=1)))


@pytest.mark.usefixtures("drills")
def test_drills_and_the_age_of_the_last_good_one(founder: TestClient) -> None:
    answer = founder.get(f"{API}/drills").json()
    assert [one["status"] for one in answer["data"]] == ["failed", "passed"]
    assert answer["last_passed_at"] and not answer["has_more"]
    assert founder.get(f"{API}/drills?limit=1").json()["has_more"]
    one = founder.get(f"{API}/drills/drl_failed").json()
    assert one["checks"][0]["observed"] == "7 rows" and one["rto_parts"]["replay"] == 6.5
    assert founder.get(f"{API}/drills/drl_none").status_code == 404


def test_a_drill_is_found_by_its_flow_run_once_it_began(app: FastAPI, founder: TestClient) -> None:
    assert founder.get(f"{API}/drills/{RUN}").status_code == 404
    with app.state.services.transaction() as session:
        session.add(drill("running", timedelta(), flow_run_id=RUN, finished_at=None))
    assert founder.get(f"{API}/drills/{RUN}").json()["status"] == "running"


def test_backups(founder: TestClient) -> None:
    answer = founder.get(f"{API}/backups").json()
    assert [point["id"] for point in answer["data"]] == ["b-full", "b-inc"]
    assert answer["latest_restorable"]


@pytest.mark.usefixtures("drills")
def test_the_page_shows_verdicts_reasons_ages_and_trend(founder: TestClient) -> None:
    html = founder.get("/app/ops").text
    for shown in (
        "2 d ago",
        "within the week",
        "4 min ago",
        "incremental",
        "b-inc",
        "8.5 s",
        "passed",
        "failed",
    ):
        assert shown in html, shown
    assert html.count('role="img"') == 2 and "The trend as a table" in html
    assert "7 rows &lt;b&gt;instead&lt;/b&gt; of 8" in html
    assert 'hx-get="/app/ops/state' not in html  # nothing runs, nothing is polled
    assert "7 rows" in founder.get("/app/ops/drills/drl_failed").text


def test_the_page_before_any_drill_or_backup(founder: TestClient, backups: Backups) -> None:
    backups.points.clear()
    html = founder.get("/app/ops").text
    assert "No drill yet" in html and "There is no backup" in html and "Check the keys." in html
    assert html.count("tile late") == 2


def test_starting_a_drill_by_api(founder: TestClient, orchestrator: Orchestrator) -> None:
    body = {"target": "2026-01-02T03:04:05Z", "rto_target": 30, "keep": 15}
    answer = founder.post(f"{API}/drills", json=body, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 202
    assert answer.json() == {"id": RUN, "url": f"http://127.0.0.1:4200/runs/flow-run/{RUN}"}
    ((deployment, parameters, key),) = orchestrator.asked
    assert (deployment, key) == ("restore-drill/restore-drill", "once")
    assert parameters == {
        "target": "2026-01-02T03:04:05+00:00",
        "rto_target": 30,
        "keep_minutes": 15,
        "trigger": "founder",
    }
    assert founder.post(f"{API}/drills").status_code == 202
    assert orchestrator.asked[1][1] == {"target": "latest", "trigger": "founder"}


def test_a_key_starts_one_drill_and_stays_with_its_body(
    founder: TestClient, orchestrator: Orchestrator
) -> None:
    key = {"Idempotency-Key": "drill-of-monday"}
    orchestrator.away = True
    assert founder.post(f"{API}/drills", json={"keep": 5}, headers=key).status_code == 503
    orchestrator.away = False
    first, again = (founder.post(f"{API}/drills", json={"keep": 5}, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json() and again.headers["idempotency-replayed"] == "true"
    other = founder.post(f"{API}/drills", json={"keep": 6}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert [asked[2] for asked in orchestrator.asked] == ["drill-of-monday"]


@pytest.mark.parametrize(
    "body",
    [{"target": "2100-01-01T00:00:00Z"}, {"target": "soon"}, {"rto_target": -1}, {"keep": 99999}],
)
def test_a_drill_that_cannot_be_is_refused(
    founder: TestClient, orchestrator: Orchestrator, body: dict[str, Any]
) -> None:
    assert founder.post(f"{API}/drills", json=body).status_code == 422
    assert orchestrator.asked == []


def test_prefect_away_is_said_with_its_remedy(founder: TestClient, orchestrator: Orchestrator) -> None:
    orchestrator.away = True
    answer = founder.post(f"{API}/drills")
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    page = founder.post("/app/ops/drills", data={"token": "t"}, headers=PAGE)
    assert page.status_code == 503 and "Start it." in page.text


def test_the_button_starts_one_drill_and_the_page_waits_for_it(
    founder: TestClient, orchestrator: Orchestrator
) -> None:
    form = {"token": "t1", "target": "", "rto_target": "60", "rpo_target": "", "keep": "0"}
    answer = founder.post("/app/ops/drills", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/app/ops?started={RUN}")
    assert orchestrator.asked[0][1:] == (
        {"target": "latest", "rto_target": 60, "keep_minutes": 0, "trigger": "founder"},
        "t1",
    )
    html = founder.get(answer.headers["location"]).text
    assert f'hx-get="/app/ops/state?started={RUN}"' in html and "waits for the worker" in html


def test_the_form_explains_what_it_cannot_use(founder: TestClient, orchestrator: Orchestrator) -> None:
    for form in ({"target": "2100-01-01T00:00"}, {"rto_target": "many"}, {"target": "x"}):
        page = founder.post("/app/ops/drills", data={"token": "t", **form}, headers=PAGE)
        assert page.status_code == 422 and "The drill was not started." in page.text
    assert orchestrator.asked == []


def test_the_page_asks_for_the_flow_runs_and_shows_each_with_its_state(
    founder: TestClient, orchestrator: Orchestrator
) -> None:
    assert 'hx-get="/app/ops/runs" hx-trigger="load"' in founder.get("/app/ops").text
    html = founder.get("/app/ops/runs").text
    assert f'href="http://127.0.0.1:4200/runs/flow-run/{RUN}"' in html and "3 min ago" in html
    assert "badge failed" in html and "NO-GO" in html and "2 checks &lt;fail&gt;" in html
    assert "never" in html and "its schedule is paused" in html
    orchestrator.away = True
    html = founder.get("/app/ops/runs").text
    assert "Prefect cannot be reached." in html and "<table" not in html
