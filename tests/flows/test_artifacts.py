"""Every flow that is deployed leaves a report, and the report leads to a runbook page that there is."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from api.core.drills.records import DrillStatus, DrillSummary
from api.core.evidence.report import LedgerReport
from api.core.incidents import reading
from api.core.ports import Backup
from api.core.preflight.records import State
from api.core.preflight.rehearsals import Rehearsal
from api.core.preflight.service import Preflight
from api.core.webhooks.standing import Standing
from api.settings import load
from flows import artifacts, incident_watch, reporting, webhook_retries, wiring
from flows.rotation_run import Outcome, Plan
from flows.watching import Watched
from tests.api.core.preflight.samples import result

ROOT = Path(artifacts.__file__).parents[1]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE = "https://runbooks.example"


def backup() -> Backup:
    found = SimpleNamespace(id="20261122T020000000Z-full", kind="full", size_bytes=1, verified_at=NOW)
    return cast("Backup", found)


def drill() -> DrillSummary:
    return DrillSummary(
        id="drl_1",
        status=DrillStatus.FAILED,
        phase="done",
        trigger="schedule",
        target_time=NOW,
        rto_seconds=None,
        rto_parts={},
        rpo_seconds=None,
        rpo_parts={},
        rto_target=10,
        rpo_target=60,
        started_at=NOW,
        finished_at=NOW,
        flow_run_id=None,
        checks=[],
        issues=[],
        next_step="",
        evidence_id=None,
        database_name=None,
        keep_until=None,
    )


def preflight() -> Preflight:
    red = replace(result("database.backups", State.FAIL), fix="Take one.", runbook="preflight-database")
    run = SimpleNamespace(
        id="pre_1",
        headline="NO-GO",
        reasons=[],
        next_step="",
        results=[red],
        not_checked=[],
        evidence_id=None,
        sign_off=None,
        binding=SimpleNamespace(release="r", configuration="c"),
        target=SimpleNamespace(production_url="https://app.example"),
    )
    return cast("Preflight", run)


def rehearsal() -> Rehearsal:
    return Rehearsal("reh_1", "staging", "2", "1", "", "", "failed", "back", "", None, None, NOW, NOW, None)


async def rotations() -> None:
    await reporting.publish_rotation_plan(Plan("finish", NOW, [], []))
    await reporting.publish_rotation_proof(Outcome(NOW, [], 0))


REPORTS: dict[str, Callable[[], Awaitable[None] | None]] = {
    "alerts.alerts": lambda: artifacts.alerts_sent(1, []),
    "backups.retain": lambda: artifacts.backups_kept([], [], 1),
    "backups.take_backup": lambda: artifacts.backed_up(backup()),
    "evidence.evidence": lambda: reporting.publish_evidence(LedgerReport([], ""), ""),
    "housekeeping.prune": lambda: artifacts.pruned({"codes": 1}, {"codes": timedelta(1)}),
    "housekeeping.sweep": lambda: artifacts.swept(["staging points home again"]),
    "incident_watch.incident_watch": lambda: incident_watch.publish(Watched(NOW, ["inc_1"], 1, 0)),
    "preflight.preflight": lambda: reporting.report_preflight(preflight()),
    "rehearse_rollback.rehearse_rollback": lambda: artifacts.rehearsed(rehearsal(), "failed"),
    "restore_drill.restore_drill": lambda: reporting.report_drill(drill()),
    "secret_rotation.secret_rotation": rotations,
    "webhook_retries.webhook_retries": lambda: webhook_retries.publish(
        Counter(exhausted=1), Standing(0, None, 0, 0, 0, 0, 0), NOW
    ),
}


def deployed() -> set[str]:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    return {one["entrypoint"].removeprefix("flows.") for one in document["deployments"]}


def test_no_deployed_flow_is_without_a_report() -> None:
    assert REPORTS.keys() == deployed()


class Done:
    """What an asynchronous flow awaits, and a synchronous one does not."""

    def __await__(self) -> Generator[None]:
        yield from ()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Markdown that is left in Prefect's place."""
    left: list[str] = []

    def now(markdown: str, **_: object) -> Done:
        left.append(markdown)
        return Done()

    def quietly(markdown: str, **_: object) -> None:
        left.append(markdown)

    settings = load()
    alerts = settings.alerts.model_copy(update={"runbooks_url": BASE})
    monkeypatch.setattr(wiring, "settings", lambda: replace(settings, alerts=alerts))
    monkeypatch.setattr(wiring, "transaction", nullcontext)
    monkeypatch.setattr(reading, "standings", lambda _session: [])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(artifacts, "create_markdown_artifact", quietly)
    monkeypatch.setattr(artifacts, "acreate_markdown_artifact", now)
    monkeypatch.setattr(reporting, "create_markdown_artifact", now)
    monkeypatch.setattr(reporting, "create_table_artifact", lambda **_: None)  # pyright: ignore[reportUnknownLambdaType]
    for module in (incident_watch, webhook_retries):
        monkeypatch.setattr(module, "acreate_markdown_artifact", now)
    return left


def pages(markdown: str) -> Sequence[str]:
    return re.findall(rf"{BASE}/([a-z0-9-]+\.md)", markdown)


@pytest.mark.parametrize("flow", sorted(REPORTS))
def test_its_reports_lead_to_a_page(flow: str, said: list[str]) -> None:
    made: Any = REPORTS[flow]()
    if made is not None:
        asyncio.run(awaited(made))
    assert said
    for markdown in said:
        assert pages(markdown), markdown
        assert all((ROOT / "deployments/runbooks" / page).exists() for page in pages(markdown))


async def awaited(one: Awaitable[None]) -> None:
    await one
