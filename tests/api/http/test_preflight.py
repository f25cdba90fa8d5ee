"""Preflight by page and API: owners reached by their link, a GO signed by its owner, and what voids it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.clock import system_clock
from api.core.errors import Rejected
from api.core.evidence import service as evidence
from api.core.flags import service as flags
from api.core.flags.rules import EVERYWHERE, FlagKey
from api.core.preflight import service
from api.core.preflight.catalogue import CHECKS
from api.core.preflight.records import Check, Result, State, Target
from api.core.preflight.verdict import decide
from api.http import preflights
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE

API = "/api/founder/v1/ops/preflights"
RUN = "0b6f5ca6-0000-4000-8000-000000000009"
TARGET = Target("http://127.0.0.1:8000", "http://127.0.0.1:8001", "embedded", "local")


class Orchestrator:
    """Stands in for Prefect: remembers what was started and resumed."""

    def __init__(self) -> None:
        self.started: list[tuple[str, Mapping[str, Any], str]] = []
        self.resumed: list[tuple[str, Mapping[str, Any]]] = []
        self.waits = True

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> str:
        self.started.append((deployment, parameters, idempotency_key))
        return RUN

    def resume(self, flow_run_id: str, run_input: Mapping[str, Any]) -> None:
        if not self.waits:
            raise Rejected("It does not wait.", provider="prefect", operation="resume")
        self.resumed.append((flow_run_id, run_input))

    def run_url(self, flow_run_id: str) -> str:
        return f"http://127.0.0.1:4200/runs/flow-run/{flow_run_id}"


@pytest.fixture
def orchestrator() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
def at(app: FastAPI, orchestrator: Orchestrator) -> Iterator[Services]:
    """The application's services with no preflight, owner or waiver in the database."""
    before: Services = app.state.services
    app.state.services = replace(before, prefect=orchestrator)
    yield app.state.services
    app.state.services = before
    with before.transaction() as session:
        session.execute(text("truncate ops.preflights, ops.owners, ops.waivers cascade"))


def run(at: Services, *wrong: str, flow_run_id: str | None = RUN) -> str:
    """A decided run in which all checks pass but those named."""
    now = system_clock()
    with at.transaction() as session:
        bound = preflights.binding(session, at)
        preflight_id = service.begin(
            session,
            flow_run_id=flow_run_id,
            trigger="ops",
            target=TARGET,
            binding=bound,
            checks=CHECKS,
            not_checked=["Load."],
            now=now,
        )
        results = [_result(one, State.FAIL if one.name in wrong else State.PASS, now) for one in CHECKS]
        service.decide(session, preflight_id, decide(CHECKS, results, [], now), [], bound.facts, now)
    return preflight_id


def _result(check: Check, state: State, now: datetime) -> Result:
    return Result(
        name=check.name,
        group=check.group,
        title=check.title,
        state=state,
        expected=check.expected,
        observed="<seen>",
        observed_at=now,
        expires_at=now + timedelta(hours=1),
        fix="" if state is State.PASS else check.fix,
        runbook=check.runbook,
    )


def assign(founder: TestClient, role: str, name: str, **more: str) -> None:
    form = {"role": role, "name": name, "address": f"{role}@firstuser.example", **more}
    assert founder.post("/app/ops/owners", data=form).status_code == 303


def switched(at: Services, value: bool) -> None:
    with at.transaction() as session:
        key = FlagKey.WEBHOOK_RETRIES_PAUSED
        flags.set_value(session, key, EVERYWHERE, value, by="test", reason="test", now=system_clock())


def test_an_owner_is_reached_by_a_link_that_works_once_and_only_by_a_press(
    at: Services, founder: TestClient, anyone: TestClient, outbox: Outbox
) -> None:
    assign(founder, "incident", "Ada Lovelace")
    sent = outbox.latest("incident@firstuser.example")
    assert sent is not None
    link = re.search(r"/duty/\S+", sent.body)
    assert link is not None
    for _ in range(2):  # a preview looks, and confirms nothing
        assert anyone.get(link[0]).status_code == 200
    assert "not confirmed yet" in founder.get("/app/ops").text
    assert anyone.post(link[0]).status_code == 200
    assert "confirmed just now" in founder.get("/app/ops").text
    assert anyone.post(link[0]).status_code == 410
    assert anyone.get("/duty/nothing").status_code == 404
    with at.transaction() as session:
        acts = session.execute(
            text("select action from audit where subject = 'incident' order by id desc limit 3")
        ).scalars()
        assert sorted(acts) == ["owners.assign", "owners.call", "owners.confirm"]
        sealed = session.execute(text("select address_cipher from ops.owners")).scalar_one()
    assert b"firstuser.example" not in sealed
    assert "incident@firstuser.example" not in founder.get("/app/ops").text


def test_another_founder_assigns_nobody(at: Services, visit: Visit, outbox: Outbox) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    form = {"role": "incident", "name": "Me", "address": "me@firstuser.example"}
    assert other.post("/app/ops/owners", data=form).status_code == 403


def test_the_release_owner_signs_and_the_waiting_run_goes_on(
    at: Services, founder: TestClient, orchestrator: Orchestrator
) -> None:
    assign(founder, "release", "whoever", myself="true")
    preflight_id = run(at)
    assert "Sign off the launch" in founder.get(f"/app/ops/preflights/{preflight_id}").text
    answer = founder.post(f"{API}/{preflight_id}/sign-off", json={"approve": True, "note": "ship it"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["stands"], found["sign_off"]["approved"], found["sign_off"]["note"]) == (
        True,
        True,
        "ship it",
    )
    ((resumed, said),) = orchestrator.resumed
    assert (resumed, said["approve"]) == (RUN, True)
    again = founder.post(f"{API}/{preflight_id}/sign-off", json={"approve": False})
    assert (again.status_code, again.json()["code"]) == (409, "signed_already")


def test_a_run_that_waits_no_more_is_signed_all_the_same(
    at: Services, founder: TestClient, orchestrator: Orchestrator
) -> None:
    orchestrator.waits = False
    assign(founder, "release", "whoever", myself="true")
    answer = founder.post(f"{API}/{run(at)}/sign-off", json={"approve": True})
    assert answer.json()["sign_off"]["approved"]


def test_nobody_else_signs(at: Services, founder: TestClient, visit: Visit, outbox: Outbox) -> None:
    without = founder.post(f"{API}/{run(at)}/sign-off", json={"approve": True})
    assert (without.status_code, without.json()["code"]) == (422, "no_release_owner")
    assign(founder, "release", "whoever", myself="true")
    preflight_id = run(at)
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    answer = other.post(f"{API}/{preflight_id}/sign-off", json={"approve": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_release_owner")
    assert "Sign off the launch" not in other.get(f"/app/ops/preflights/{preflight_id}").text


@pytest.mark.parametrize("change", ["release", "configuration", "owner", "switch", "run", "evidence"])
def test_a_go_is_void_after_any_change(app: FastAPI, at: Services, founder: TestClient, change: str) -> None:
    assign(founder, "release", "whoever", myself="true")
    preflight_id = run(at)
    assert founder.get(f"{API}/{preflight_id}").json()["stands"]
    settings, before = at.settings, first_evidence(at)
    if change == "release":
        moved = settings.service.model_copy(update={"release": "next"})
        app.state.services = replace(at, settings=replace(settings, service=moved))
    elif change == "configuration":
        moved_platform = settings.platform.model_copy(update={"email_from": "other@firstuser.example"})
        app.state.services = replace(at, settings=replace(settings, platform=moved_platform))
    elif change == "owner":
        assign(founder, "incident", "Somebody Else")
    elif change == "switch":
        switched(at, True)
        switched(at, False)
    elif change == "run":
        run(at, flow_run_id="another")
    else:
        alter(at, "{}")
    found = founder.get(f"{API}/{preflight_id}").json()
    assert not found["stands"] and found["void_because"]
    answer = founder.post(f"{API}/{preflight_id}/sign-off", json={"approve": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "go_is_void")
    assert "void" in founder.get(f"/app/ops/preflights/{preflight_id}").text
    if change == "evidence":
        alter(at, before)


def first_evidence(at: Services) -> str:
    with at.transaction() as session:
        query = "select body::text from ops.evidence where stream = 'preflights' and seq = 1"
        return session.execute(text(query)).scalar_one()


def alter(at: Services, body: str) -> None:
    """As only the owner of the table can: the ledger refuses it to everybody else."""
    with at.transaction() as session:
        session.execute(text("alter table ops.evidence disable trigger user"))
        session.execute(
            text(
                "update ops.evidence set body = cast(:body as jsonb) where stream = 'preflights' and seq = 1"
            ),
            {"body": body},
        )
        session.execute(text("alter table ops.evidence enable trigger user"))


def test_a_no_go_shows_why_and_what_to_do_and_cannot_be_signed(at: Services, founder: TestClient) -> None:
    assign(founder, "release", "whoever", myself="true")
    preflight_id = run(at, "database.drill")
    page = founder.get(f"/app/ops/preflights/{preflight_id}").text
    for said in ("NO-GO", "database.drill", "firstuser drill", "restore-drill.md", "Not checked", "Load."):
        assert said in page
    assert "<seen>" not in page and "&lt;seen&gt;" in page
    assert founder.post(f"{API}/{preflight_id}/sign-off", json={"approve": True}).status_code == 409


def test_results_are_seen_while_the_run_goes_on(at: Services, founder: TestClient) -> None:
    now = datetime.now(UTC)
    with at.transaction() as session:
        bound = preflights.binding(session, at)
        preflight_id = service.begin(
            session,
            flow_run_id=RUN,
            trigger="ops",
            target=TARGET,
            binding=bound,
            checks=CHECKS,
            not_checked=[],
            now=now,
        )
        service.note(session, preflight_id, CHECKS[0], _result(CHECKS[0], State.PASS, now), now)
        service.note(session, preflight_id, CHECKS[1], None, now)
    page = founder.get(f"/app/ops/preflights/{RUN}").text
    assert f"1 of {len(CHECKS)} checks are done; looking at {CHECKS[1].name}" in page
    assert 'hx-trigger="every 1s"' in page
    assert "is done" in page or CHECKS[0].title in page


def test_the_button_starts_one_run(at: Services, founder: TestClient, orchestrator: Orchestrator) -> None:
    answer = founder.post("/app/ops/preflights", data={"token": "t", "sign_off": "true"})
    assert answer.headers["location"] == f"/app/ops/preflights/{RUN}"
    assert orchestrator.started == [("preflight/preflight", {"sign_off": True, "trigger": "founder"}, "t")]
    assert "waits for the worker" in founder.get(answer.headers["location"]).text


def test_a_waiver_needs_two_people(at: Services, founder: TestClient, visit: Visit, outbox: Outbox) -> None:
    form = {"check": "secrets.api_keys", "reason": "Partners rotate on Monday", "days": "2"}
    assert founder.post("/app/ops/preflights/waivers/new", data=form).status_code == 303
    with at.transaction() as session:
        waiver_id = session.execute(text("select id from ops.waivers")).scalar_one()
        asked = evidence.records(session, "waivers")[-1]
        assert (asked.kind, asked.body["waiver"]) == ("requested", waiver_id)
    approve = f"/app/ops/preflights/waivers/{waiver_id}/approve"
    assert founder.post(approve).status_code == 422
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    assert other.post(approve).status_code == 303
    assert "approved by" in founder.get("/app/ops").text


@pytest.mark.parametrize(
    ("check", "days", "status"),
    [("database.drill", "1", 422), ("secrets.api_keys", "8", 422), ("nothing", "1", 422)],
)
def test_what_cannot_be_waived(at: Services, founder: TestClient, check: str, days: str, status: int) -> None:
    form = {"check": check, "reason": "because", "days": days}
    assert founder.post("/app/ops/preflights/waivers/new", data=form).status_code == status
