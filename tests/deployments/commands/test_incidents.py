"""`firstuser incidents`: what is stored is replayed, backtested, drawn and written up; people decide."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.core.errors import FirstUserError, Refused
from api.core.incidents import telemetry, watching
from api.core.incidents.decisions import Mode
from api.core.incidents.pace import MINUTE, minute_of
from api.core.incidents.seeing import Situation
from api.core.incidents.tally import EVERYBODY, Count
from deployments.commands.incidents import app, backtesting, deciding, reading, replaying
from flows import watching as watch

START = minute_of(datetime.now(UTC)) - 120 * MINUTE


@pytest.fixture(autouse=True)
def stored(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten good minutes, twenty bad ones from the eleventh on, then good ones."""
    for module in (backtesting, deciding, reading, replaying):
        monkeypatch.setattr(module, "open_service", lambda: None)
    monkeypatch.setattr(watch.wiring, "transaction", lambda: nullcontext(session))
    monkeypatch.setattr(watch, "newest_deploy", lambda _: None)
    session.execute(text("truncate exchange_minutes, incident_episodes, incident_standings cascade"))
    for place in range(60):
        failed = 30 if 10 <= place < 30 else 0
        counts = [
            Count(START + place * MINUTE, EVERYBODY, 0, 0),
            Count(START + place * MINUTE, "int_a", failed, 100),
        ]
        telemetry.record(session, "one", counts, START + place * MINUTE)


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"])
    if isinstance(done.exception, FirstUserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def trip(session: Session) -> str:
    now = START + 20 * MINUTE + timedelta(seconds=90)
    return watching.look(session, Situation("test", now, datetime.now(UTC), Mode.RECOMMEND))[0]


def test_replay_says_why_at_that_minute() -> None:
    at = START + 20 * MINUTE
    told = run("replay", "--at", at.strftime("%Y-%m-%dT%H:%M"))
    verdicts = {(one["rule"], one["scope"]): one for one in told["verdicts"]}
    assert verdicts["R1", "int_a"]["verdict"] == "TRIP"
    assert verdicts["R1", "int_a"]["numbers"]["window"] == [150, 500]
    before = run("replay", "--at", (at - MINUTE).strftime("%H:%M"), "--scope", "int_a")
    assert {one["verdict"] for one in before["verdicts"] if one["rule"] == "R1"} == {"PENDING"}
    newest = before["minutes"][-1]
    assert (newest["failed"], newest["attempted"], newest["verdict"]) == (30, 100, "PENDING")
    assert CliRunner().invoke(app, ["replay", "--at", "25:71"]).exit_code == 2
    open_ = CliRunner().invoke(app, ["replay", "--at", f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"])
    assert open_.exit_code == 2 and "not closed yet" in open_.stderr
    shown = CliRunner().invoke(app, ["replay", "--at", at.strftime("%Y-%m-%dT%H:%M")]).stdout
    assert "window 150/500" in shown and f"since {START + 10 * MINUTE:%H:%M}" in shown


def test_a_backtest_fires_as_the_watch_would_and_draws_it(tmp_path: Path) -> None:
    told = run("backtest", "--days", "1", "--set", "hold=8", "--plot", str(tmp_path / "plot.svg"))
    (is_, asked) = (told["fired"][name][-1] for name in ("as it is", "as asked"))
    gap = datetime.fromisoformat(is_["trip"]) - datetime.fromisoformat(asked["trip"])
    assert gap == 2 * MINUTE and is_["since"] == asked["since"]
    assert len(told["fired"]["as it is"]) == 2, "the integration and the whole service"
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
    none = run("backtest", "--days", "1", "--set", "hold=30")
    assert none["fired"]["as asked"] == []
    for wrong in (["--set", "hope=8"], ["--set", "hold=-1"], ["--set", "hold"], ["--plot", "plot.gif"]):
        assert CliRunner().invoke(app, ["backtest", *wrong]).exit_code == 2


def test_list_show_export(session: Session, tmp_path: Path) -> None:
    incident = trip(session)
    assert incident in {one["id"] for one in run("list")["incidents"]}
    assert [one["kind"] for one in run("show", incident)["timeline"]] == ["first bad minute", "trip"]
    file = tmp_path / "postmortem.md"
    assert CliRunner().invoke(app, ["export", incident, "--file", str(file)]).exit_code == 0
    assert "| 30 | 100 |" in file.read_text() and "To be written" in file.read_text()
    for command in (["list"], ["show", incident], ["replay", "--at", f"{START:%H:%M}"], ["backtest"]):
        assert CliRunner().invoke(app, command).exit_code == 0


def test_people_decide_by_name(session: Session) -> None:
    incident = trip(session)
    run("override", "R1", "dry-run", "--by", "Ada", "--reason", "a drill", "--minutes", "5")
    assert run("list")["overrides"][0]["actor"] == "Ada"
    with pytest.raises(Refused, match="reason"):
        run("override", "R1", "auto", "--by", "Ada", "--reason", " ")
    assert run("resume", incident, "--by", "Ada", "--reason", "fixed") == {"id": incident, "undone": []}
    assert run("show", incident)["resolved_by"] == "Ada"
