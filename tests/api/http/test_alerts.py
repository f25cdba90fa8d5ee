"""Alerts through the doors: the acknowledgement's link, the Ops page, the founders' API, the loop."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api import request_log
from api.core.alerts import reports, service, views
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.alerts.reports import Outage, Report
from api.core.clock import system_clock
from api.http import alert_loop
from api.http.alert_loop import NAME, AlertLoop
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.core.alerts.channels import Recorder
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE

API = "/api/founder/v1/ops"
PAGE = {"Accept": "text/html"}


class Ahead:
    """The clock, ahead of it by as much as a test wants."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def __call__(self) -> Any:
        return system_clock() + self.by


@pytest.fixture(scope="module")
def at(app: FastAPI) -> Services:
    return app.state.services


@pytest.fixture
def channel() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
def loop(at: Services, channel: Recorder, clock: Ahead) -> Iterator[AlertLoop]:
    clear(at)
    words = Words(at.settings.service.env, at.settings.platform.public_app_url)
    yield AlertLoop(Desk(at.transaction, {"primary": channel}, words, clock), enabled=True)
    clear(at)


def clear(at: Services) -> None:
    with at.transaction() as session:
        session.execute(
            text("truncate alerts, alert_channels, alert_silences, answer_minutes, watcher_reports cascade")
        )


def link(channel: Recorder) -> str:
    return channel.got[-1].ack_url.partition("8000")[2]


def test_a_test_alert_from_the_button_to_a_named_person(
    founder: TestClient, anyone: TestClient, loop: AlertLoop, channel: Recorder
) -> None:
    assert founder.post("/app/ops/alerts/test").headers["location"] == "/app/ops#alerts"
    loop.turn()
    (message,) = channel.got
    assert message.title == "Test alert"
    shown = founder.get("/app/ops").text
    assert "accepted by the channel" in shown and "alert-channel-dead.md" in shown
    address = link(channel)
    for _ in range(2):  # as a link preview does
        page = anyone.get(address)
        assert page.status_code == 200 and "I have got it" in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "accepted by the channel" in founder.get("/app/ops").text
    assert anyone.post(address, data={"name": " "}).status_code == 422
    done = anyone.post(address, data={"name": "Grace <Hopper>"})
    assert done.status_code == 200 and "Acknowledged by Grace &lt;Hopper&gt;." in done.text
    again = anyone.post(address, data={"name": "Ada"})
    assert again.status_code == 410 and "Grace" in again.text
    assert "acknowledged by a person" in founder.get("/app/ops").text
    assert anyone.get("/ack/guessed", headers=PAGE).status_code == 404


def test_a_foreign_page_cannot_acknowledge(
    founder: TestClient, anyone: TestClient, loop: AlertLoop, channel: Recorder
) -> None:
    founder.post("/app/ops/alerts/test")
    loop.turn()
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert anyone.post(link(channel), data={"name": "Eve"}, headers=foreign).status_code == 403


def test_the_api_lists_tests_acknowledges_and_silences(
    founder: TestClient, loop: AlertLoop, channel: Recorder, clock: Ahead
) -> None:
    made = founder.post(f"{API}/alerts/test")
    assert made.status_code == 202 and made.json()["severity"] == "info"
    alert_id = made.json()["id"]
    assert alert_id in [one["id"] for one in founder.get(f"{API}/alerts").json()["data"]]
    wanted = {"rule": "test", "reason": "moving", "minutes": 60}
    silenced = founder.post(f"{API}/silences", json=wanted)
    assert silenced.status_code == 201 and silenced.json()["owner"]
    loop.turn()
    assert channel.got == []
    assert founder.delete(f"{API}/silences/{silenced.json()['id']}").status_code == 204
    assert founder.delete(f"{API}/silences/{silenced.json()['id']}").status_code == 404
    clock.by = timedelta(seconds=2)
    loop.turn()
    assert len(channel.got) == 1
    answer = founder.post(f"{API}/alerts/{alert_id}/acknowledge").json()
    assert answer["receipt"] == "L2" and answer["acknowledged_by"]
    assert founder.get(f"{API}/alerts/alr_no").status_code == 404
    for wrong in ({"minutes": 0}, {"minutes": 99_999}, {"reason": " "}, {"rule": "x"}):
        assert founder.post(f"{API}/silences", json=wanted | wrong).status_code == 422
    assert founder.get(f"{API}/silences").json()["data"] == []


def test_the_watcher_reports_and_hears_the_silences(
    founder: TestClient, anyone: TestClient, at: Services, loop: AlertLoop, channel: Recorder
) -> None:
    now = system_clock()
    outage = Outage("alr_w1", "database_unavailable", now - timedelta(minutes=9), now, now, "it fails")
    body, headers = reports.seal(Report(now, (outage,), True, now), at.watcher_signer)
    founder.post(f"{API}/silences", json={"rule": "burst_5xx", "reason": "load test", "minutes": 5})
    for _ in range(2):  # it repeats what it does not know to have arrived
        answer = anyone.post(reports.PATH, content=body, headers=headers)
        heard = reports.reply(answer.content)
        assert answer.status_code == 200 and heard and heard.known == ("alr_w1",)
        assert [one.rule for one in heard.silences] == ["burst_5xx"]
    page = founder.get("/app/ops").text
    assert "Database unavailable" in page and "The watcher last reported" in page
    assert "dead-man switch last heard it" in page
    loop.turn()
    assert channel.got == []  # whoever had to know was told by the watcher
    with at.transaction() as session:
        assert "watcher" in {one.name for one in views.loops(session)}
        found = views.alert(session, "alr_w1", "")
        assert (found.receipt, [one.kind for one in found.messages]) == ("L0", ["firing", "resolved"])
    leaving, headers = reports.seal(Report(now, leaving=True), at.watcher_signer)
    assert anyone.post(reports.PATH, content=leaving, headers=headers).status_code == 200
    with at.transaction() as session:
        assert "watcher" not in {one.name for one in views.loops(session)}


@pytest.mark.parametrize("change", ["body", "signature", "none", "old", "nonsense"])
def test_nobody_else_reports(anyone: TestClient, at: Services, change: str) -> None:
    then = system_clock() - timedelta(minutes=6 if change == "old" else 0)
    body, headers = reports.seal(Report(then), at.watcher_signer)
    if change == "body":
        body = body.replace(b"false", b"true ")
    if change == "signature":
        headers[reports.SIGNATURE] = "00" * 32
    if change == "none":
        del headers[reports.SIGNATURE]
    if change == "nonsense":
        headers[reports.SIGNATURE], body = "zz", b"\xff"
    assert anyone.post(reports.PATH, content=body, headers=headers).status_code == 422


def test_silences_on_the_page(founder: TestClient) -> None:
    form = {"rule": "burst_5xx", "minutes": "5", "reason": "load test"}
    assert founder.post("/app/ops/silences", data=form).status_code == 303
    page = founder.get("/app/ops").text
    assert "load test" in page
    silence_id = page.partition("/app/ops/silences/")[2].partition("/end")[0]
    assert founder.post(f"/app/ops/silences/{silence_id}/end").status_code == 303
    assert "load test" not in founder.get("/app/ops").text


def test_only_the_homepages_owner_sees_and_changes_alerts(visit: Visit, outbox: Outbox) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    for answer in (
        other.get(f"{API}/alerts"),
        other.post(f"{API}/alerts/test"),
        other.post("/app/ops/alerts/test"),
        other.get(f"{API}/silences"),
    ):
        assert answer.status_code == 403
    assert "Send a test alert" not in other.get("/app/ops").text


def test_5xx_are_counted_where_every_answer_passes_and_page(
    loop: AlertLoop, channel: Recorder, clock: Ahead, anyone: TestClient
) -> None:
    request_log.lines.take()
    anyone.get("/api/healthz")
    assert request_log.lines.take() == (1, 0)
    for status, path in ((500, "/x"), (503, "/api/readyz"), (404, "/x"), (200, "/x")):
        request_log.lines.write("req_1", "GET", path, status, 0.1)
    assert request_log.lines.take() == (4, 1)
    for _ in range(12):
        request_log.lines.write("req_1", "GET", "/x", 500, 0.1)
    loop.turn()
    clock.by = timedelta(seconds=31)
    loop.turn()
    (message,) = [message for message in channel.got if message.metadata["rule"] == "burst_5xx"]
    assert message.severity == "critical" and "12 of" in message.message


def test_the_loop_outlives_whatever_the_database_raises(
    at: Services, channel: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing table, too: a new process may be there before its migration."""
    clear(at)
    failures = iter([ProgrammingError("x", {}, Exception()), IntegrityError("x", {}, Exception())])

    @contextmanager
    def transaction() -> Iterator[Session]:
        for failure in failures:
            raise failure
        with at.transaction() as session:
            yield session

    async def run(loop: AlertLoop) -> None:
        async with loop.running():
            for _ in range(100):
                await asyncio.sleep(0.05)
                if channel.got:
                    break

    with at.transaction() as session:
        service.test(session, "development", "Ada", system_clock())
    monkeypatch.setattr(alert_loop, "_TURN_S", 0.01)
    desk = Desk(transaction, {"primary": channel}, Words("development", "http://app"), system_clock)
    asyncio.run(run(AlertLoop(desk, enabled=True)))
    assert channel.kinds == ["firing"]
    clear(at)


def test_the_loop_beats_and_takes_its_leave(app: FastAPI, at: Services) -> None:
    def beats() -> set[str]:
        with at.transaction() as session:
            return {one.name for one in views.loops(session)}

    with TestClient(app) as client:
        assert client.get("/api/healthz").status_code == 200
        at.alert_loop.turn()
        assert NAME in beats()
    assert NAME not in beats()
