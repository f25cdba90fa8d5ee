"""Incidents on the Ops pages: the owner sees timeline, numbers and who did what, confirms and resumes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.incidents import telemetry, watching
from api.core.incidents.decisions import Mode
from api.core.incidents.pace import MINUTE, minute_of
from api.core.incidents.seeing import Situation
from api.core.incidents.tally import EVERYBODY, Count
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE

PAGE = "/app/ops/incidents"


@pytest.fixture(scope="module")
def incident(app: FastAPI, integration_id: str) -> Iterator[str]:
    """A trip a while ago, recommended to people."""
    at = app.state.services
    now = minute_of(datetime.now(UTC)) - 60 * MINUTE
    with at.transaction() as session:
        for place in range(25):
            minute, failed = now + place * MINUTE, 40 if place > 8 else 0
            counts = [Count(minute, EVERYBODY, 0, 0), Count(minute, integration_id, failed, 50)]
            telemetry.record(session, "page", counts, minute)
        closed = now + 24 * MINUTE + timedelta(seconds=90)
        opened = watching.look(session, Situation("test", closed, datetime.now(UTC), Mode.RECOMMEND))
    yield next(one for one in opened)
    with at.transaction() as session:
        session.execute(text("truncate incident_episodes, incident_standings, exchange_minutes cascade"))
        session.execute(text("delete from flags"))


def test_it_is_the_owners(visit: Visit, outbox: Any, incident: str) -> None:
    other = visit()
    assert other.get(PAGE).status_code == 303
    log_in(other, outbox, OTHER_PHONE)
    assert other.get(PAGE).status_code == 403 == other.get(f"{PAGE}/{incident}").status_code


def test_the_page_tells_the_whole_story(founder: TestClient, incident: str) -> None:
    listed = founder.get(PAGE).text
    assert incident in listed and "TRIP" in listed
    page = founder.get(f"{PAGE}/{incident}").text
    for word in ("first bad minute", "pause onboarding", "recommended", "<svg", "one integration"):
        assert word in page
    draft = founder.get(f"{PAGE}/{incident}/postmortem.md")
    assert draft.headers["content-type"].startswith("text/markdown") and "## Timeline" in draft.text
    assert "| 40 | 50 |" in draft.text
    assert founder.get(f"{PAGE}/inc_none").status_code == 404


def test_confirming_and_resuming_are_a_persons(founder: TestClient, app: FastAPI, incident: str) -> None:
    assert founder.post(f"{PAGE}/{incident}/confirm").status_code == 303
    assert founder.post(f"{PAGE}/{incident}/confirm").status_code == 409
    assert founder.post(f"{PAGE}/{incident}/resume", data={"reason": ""}).status_code == 422
    assert founder.post(f"{PAGE}/{incident}/resume", data={"reason": "a test"}).status_code == 303
    page = founder.get(f"{PAGE}/{incident}").text
    assert "resolved" in page and "a test" in page and "confirmed" in page
