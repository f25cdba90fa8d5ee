"""One run of the watch: it brings the watcher's probes, judges, acts once, and looks for the effect."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from api.core.clock import system_clock
from api.core.incidents import reading, telemetry
from api.core.incidents.decisions import ActionKind
from api.core.incidents.readiness import Outcome, Probe
from api.providers import probe_spool
from api.settings import load
from flows import incident_watch, watching, wiring
from tests.api.core.incidents.world import Recorded, World
from tests.product import engine, product_url

__all__ = ["engine", "product_url"]


@pytest.fixture
def world(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world, settings = World(engine), load()
    stack = settings.stack.model_copy(update={"state_dir": tmp_path})
    incidents = settings.incidents.model_copy(update={"incident_mode": "auto"})
    monkeypatch.setattr(wiring, "settings", lambda: replace(settings, stack=stack, incidents=incidents))
    monkeypatch.setattr(wiring, "transaction", world.transaction)
    monkeypatch.setattr(wiring, "hosting", lambda: SimpleNamespace(name="none"))
    acting = replace(world.acting, clock=system_clock)
    monkeypatch.setattr(watching, "acting", lambda: acting)
    watching.pace.cache_clear()
    return world


def leave_probes(world: World, folder: Path) -> None:
    """Twenty failures, then two passes, the last one just now."""
    now = system_clock()
    for place in range(22):
        outcome = Outcome.FAIL if place < 20 else Outcome.PASS
        at = now - timedelta(seconds=10 * (21 - place))
        probe_spool.append(folder / probe_spool.NAME, Probe(at, outcome, "readyz: the database fails: gone"))


def test_an_outage_in_the_watchers_file_becomes_one_incident(world: World, tmp_path: Path) -> None:
    leave_probes(world, tmp_path)
    first, again = watching.watch(), watching.watch()
    assert len(first.opened) == 1 and again.opened == []
    assert (first.acted, again.acted) == (2, 0)
    assert world.responses[ActionKind.PAGE_INCIDENT_OWNER].did == [""]
    with world.transaction() as session:
        assert len(telemetry.probes(session, system_clock() - timedelta(hours=1), system_clock())) == 22
        assert {one.verdict for one in reading.standings(session) if one.rule == "R2"} == {"OK"}


def test_the_flow_publishes_what_it_saw(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_probes(world, tmp_path)
    shown: list[str] = []

    async def keep(markdown: str, **_: str) -> None:
        shown.append(markdown)

    monkeypatch.setattr(incident_watch, "acreate_markdown_artifact", keep)
    ended = asyncio.run(incident_watch.incident_watch.fn())
    assert ended.message.startswith("1 opened, ") and len(shown) == 1
    assert "firstuser incidents show inc_" in shown[0] and "alert-incident.md" in shown[0]
    again = asyncio.run(incident_watch.incident_watch.fn())
    assert again.message.startswith("0 opened, 0 actions")
    assert len(shown) == 1  # nothing new: no artifact a minute
    assert isinstance(world.responses[ActionKind.ROLL_BACK], Recorded)
