"""A preflight as ops run it on the whole stack: by command, through Prefect, signed in its UI."""

import json
import re
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.providers.messaging.outbox import Outbox
from tests.browser.chromium import executable
from tests.stack.conftest import StackUnderTest
from tests.stack.drills import archive_up_to_now

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

NO_GO = 3
OUTSIDE = "alerts.dead_man"
"""What no stack has by itself: somebody elsewhere who misses it."""


def runs(stack: StackUnderTest) -> httpx.Client:
    user, _, password = stack.state.prefect_login.read_text().strip().partition(":")
    base = f"{stack.ports.url('prefect')}/api"
    return httpx.Client(base_url=base, auth=(user, password), timeout=30, trust_env=False)


def ended(prefect: httpx.Client, flow_run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = prefect.get(f"/flow_runs/{flow_run_id}").raise_for_status().json()["state"]
        if state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
            return state
        time.sleep(0.3)
    raise AssertionError("the run did not end")


def test_it_says_no_with_reasons_until_all_is_there_and_then_is_signed(
    stack: StackUnderTest, tmp_path: Path
) -> None:
    junit, html = tmp_path / "p.xml", tmp_path / "p.html"
    first = stack.firstuser("preflight", "--json", "--junit", str(junit), "--html", str(html), check=False)
    assert first.returncode == NO_GO, first.stderr
    found = {one["name"]: one for one in json.loads(first.stdout)["results"]}
    assert found["smoke"]["state"] == "pass", found["smoke"]["observed"]
    assert ("Chromium" in found["smoke"]["observed"]) == (executable() is not None)
    failed = {name for name, one in found.items() if one["state"] in {"fail", "error", "inconclusive"}}
    assert {"owners.assigned", "alerts.receipt", "rollback.rehearsed", OUTSIDE} <= failed
    assert all(one["fix"] and one["runbook"] for name, one in found.items() if name in failed)
    cases = {case.get("name"): case for case in ET.parse(junit).iter("testcase")}  # noqa: S314  our own file
    assert cases["owners.assigned"].find("failure") is not None and len(cases["smoke"]) == 0
    assert "Not checked" in html.read_text()

    for role, name in (("incident", "Ada"), ("rollback", "Grace"), ("release", "Lin")):
        stack.firstuser("owners", "assign", role, name, "--email", f"{role}@firstuser.example")
        post(stack, link(stack, f"{role}@firstuser.example", "duty"))
    for name in ("Ada", "Grace"):
        asked_at = datetime.now(UTC)
        stack.firstuser("alerts", "test", "--by", name)
        post(stack, link(stack, "ops", "ack", asked_at), name=name)
    if found["database.drill"]["state"] != "pass":
        archive_up_to_now(stack)
        stack.json("drill", timeout=300)
    rehearse(stack, found["environment.served"]["observed"])
    made = stack.json("preflight", "waive", OUTSIDE, "--reason", "a fresh stack", "--by", "Ada")
    stack.firstuser("preflight", "approve", made["id"], "--by", "Grace")

    second = stack.firstuser("preflight", "--sign-off", "--json", check=False)
    assert second.returncode == 4, second.stdout
    run = json.loads(second.stdout)
    assert "waived" in run["headline"] and "Grace" in run["headline"]
    states = {one["name"]: one["state"] for one in run["results"]}
    assert [name for name, state in states.items() if state != "pass"] == [OUTSIDE], states
    with runs(stack) as prefect:
        await_state(prefect, run["flow_run_id"], "Suspended")
        resume = f"/flow_runs/{run['flow_run_id']}/resume"
        said = {"approve": True, "name": "Lin", "note": "ship it"}
        assert prefect.post(resume, json={"run_input": said}).json()["status"] == "ACCEPT"
        state = ended(prefect, run["flow_run_id"])
    assert (state["type"], state["name"]) == ("COMPLETED", "SIGNED OFF"), state["message"]
    signed = json.loads(stack.firstuser("preflight", "show", run["id"], "--json", check=False).stdout)
    assert (signed["sign_off"]["by_name"], signed["sign_off"]["via"]) == ("Lin", "prefect")
    stack.firstuser("evidence", "verify")


def rehearse(stack: StackUnderTest, served: str) -> None:
    """As the check's remediation says: staging has served another release, then gets production's."""
    alone = stack.firstuser("preflight", "rehearse", check=False)
    assert alone.returncode == 1 and "firstuser release deploy staging" in alone.stdout
    before = stack.json("release", "list", "staging")["deploys"]["staging"]
    release = served.removeprefix("release ").partition(",")[0]
    for name in ("before", release):
        stack.firstuser("release", "deploy", "staging", name, "--by", "Ada")
    said = stack.firstuser("preflight", "rehearse").stdout
    assert f"{release} → before" in " ".join(said.split())
    after = stack.json("release", "list", "staging")
    assert len(after["deploys"]["staging"]) == len(before) + 4
    assert after["serving"]["staging"] == after["deploys"]["staging"][0]["id"]


def await_state(prefect: httpx.Client, flow_run_id: str, name: str) -> None:
    deadline = time.monotonic() + 60
    while prefect.get(f"/flow_runs/{flow_run_id}").raise_for_status().json()["state"]["name"] != name:
        assert time.monotonic() < deadline
        time.sleep(0.3)


def link(stack: StackUnderTest, to: str, kind: str, after: datetime | None = None) -> str:
    """Of the newest message to somebody."""
    outbox = Outbox(stack.state.outbox("production"))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        message = outbox.latest(to, after)
        found = re.search(rf"/{kind}/[\w-]+", message.body) if message else None
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no link reached {to}")


def post(stack: StackUnderTest, path: str, **form: str) -> None:
    base = stack.ports.url("api")
    answer = httpx.post(f"{base}{path}", data=form, headers={"Origin": base}, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text


def test_bad_configuration_is_told_from_a_no_go(stack: StackUnderTest) -> None:
    for words in (["--database", "nope"], ["--production-url", "ftp://x"], ["--junit", "/nowhere/x.xml"]):
        done = stack.firstuser("preflight", *words, check=False)
        assert done.returncode == 2, done.stderr
        assert "→" in done.stderr
