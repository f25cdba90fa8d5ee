"""Prefect away for a while: what runs goes on or ends in words, its silence is told, and pages say so."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.core.alerts import queries, runs, service, watching
from api.core.clock import system_clock
from api.core.errors import Unavailable
from api.core.ports import Progress
from api.http.run_loop import RunLoop
from api.http.services import Services
from api.providers.orchestration.prefect import AWAY, Prefect
from flows import reporting
from flows.away import interrupted, unless_prefect_is_away
from flows.reporting import PreflightProgress, ProgressArtifact
from tests.api.http.conftest import app, founder, outbox, visit
from tests.product import product_url, seeded

__all__ = ["app", "founder", "outbox", "product_url", "seeded", "visit"]


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.fixture
def gone() -> Prefect:
    return Prefect("http://127.0.0.1:1/api", "http://127.0.0.1:1", None, httpx.MockTransport(refuse))


def test_a_run_goes_on_without_the_reports_it_cannot_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def away(**_: Any) -> None:
        tried.append("report")
        raise httpx.ConnectError("refused")

    for name in ("create_progress_artifact", "update_progress_artifact", "create_markdown_artifact"):
        monkeypatch.setattr(reporting, name, away)
    monkeypatch.setattr(reporting, "UPDATE_EVERY_S", 0)
    progress = ProgressArtifact()
    with progress.step():
        progress(Progress("fetch", 1, 2, "bytes"))
    PreflightProgress(3)
    with unless_prefect_is_away():
        away()
    assert len(tried) == 3
    with pytest.raises(ValueError, match="ours"), unless_prefect_is_away():
        raise ValueError("ours")  # a mistake of our own is not left out


def test_a_drill_that_ends_with_prefect_says_so() -> None:
    problem = interrupted(httpx.ConnectError("refused"), "Start the drill again.")
    assert str(problem).startswith("Prefect could not be reached")
    assert "Start the drill again." in str(problem.fix)
    assert "KeyboardInterrupt" in str(interrupted(KeyboardInterrupt(), "Again."))


def test_who_follows_a_run_waits_for_prefect_to_come_back(gone: Prefect) -> None:
    state = gone.last_known("1")
    assert (state.name, state.final) == (AWAY, False)
    denied = Prefect("http://x/api", "", None, httpx.MockTransport(lambda _: httpx.Response(401)))
    with pytest.raises(Exception, match="401"):
        denied.last_known("1")


def test_its_silence_is_told_and_shown_and_over_with_its_first_answer(
    app: FastAPI, founder: TestClient, gone: Prefect
) -> None:
    at: Services = app.state.services
    env, now = "production", system_clock()
    with at.transaction() as session:
        service.beat(session, runs.LOOP, runs.SILENCE, now - timedelta(minutes=3))
        queries.beat(session, watching.CHECKER, 120, now, now - timedelta(hours=1))
    with pytest.raises(Unavailable):
        RunLoop(at.transaction, gone, env, system_clock, enabled=True).turn()
    assert "Prefect cannot be reached" in founder.get("/app/ops").text
    with at.transaction() as session:
        assert watching.check(session, env, now)
        silent = [one.scope for one in queries.open_alerts(session, env, "loop_silent")]
    assert runs.LOOP in silent
    back = Prefect("http://x/api", "", None, httpx.MockTransport(lambda _: httpx.Response(200, json=[])))
    RunLoop(at.transaction, back, env, system_clock, enabled=True).turn()
    with at.transaction() as session:
        watching.check(session, env, system_clock())
        assert runs.LOOP not in [one.scope for one in queries.open_alerts(session, env, "loop_silent")]
    assert "Prefect cannot be reached" not in founder.get("/app/ops").text
