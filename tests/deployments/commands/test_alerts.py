"""`firstuser alerts`: a test, its receipt, an acknowledgement, silences, channels."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.alerts.probing import Watch
from api.core.clock import system_clock
from api.core.errors import FirstUserError, NotFound, Refused
from api.settings import load
from deployments import watch_file
from deployments.commands import alerts
from tests.api.core.alerts.channels import Recorder


@pytest.fixture(autouse=True)
def channel(session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    @contextmanager
    def transaction() -> Iterator[Session]:
        yield session
        session.flush()

    made = Recorder()
    desk = Desk(transaction, {"primary": made}, Words("development", "http://app"), system_clock)
    found = load()
    stack = found.stack.model_copy(update={"state_dir": tmp_path})
    monkeypatch.setattr(alerts, "open_service", lambda: None)
    monkeypatch.setattr(alerts.wiring, "transaction", transaction)
    monkeypatch.setattr(alerts.wiring, "alert_desk", lambda: desk)
    monkeypatch.setattr(alerts.wiring, "settings", lambda: type(found)(**_fields(found) | {"stack": stack}))
    return made


def _fields(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__slots__}


def run(*words: str) -> Any:
    done = CliRunner().invoke(alerts.app, [*words, "--json"])
    if isinstance(done.exception, FirstUserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_test_alert_is_sent_listed_and_acknowledged(channel: Recorder) -> None:
    made = run("test", "--by", "Ada")
    assert made["receipt"] == "L0" and len(channel.got) == 1
    (listed,) = run("list")["alerts"]
    assert listed["id"] == made["id"] and "Ada" in listed["message"]
    assert run("ack", made["id"], "--by", "Grace")["acknowledged_by"] == "Grace"
    one = run("list", made["id"])
    assert one["receipt"] == "L2" and one["messages"][0]["state"] == "sent" and one["occurrences"]
    for words in (["list"], ["list", made["id"]], ["channels"]):
        shown = CliRunner().invoke(alerts.app, words)
        assert shown.exit_code == 0 and shown.output


def test_silences_need_owner_and_reason_and_end() -> None:
    made = run("silence", "--owner", "Ada", "--reason", "moving", "--rule", "burst_5xx")
    assert [one["id"] for one in run("list")["silences"]] == [made["id"]]
    assert run("unsilence", made["id"])["ended"]
    assert run("list")["silences"] == []
    with pytest.raises(Refused):
        run("silence", "--owner", " ", "--reason", "x")
    with pytest.raises(NotFound):
        run("unsilence", "sil_no")


def test_channels_say_whether_the_dead_man_hears(tmp_path: Path) -> None:
    found = run("channels")
    assert found["channels"][0]["kind"] == "recorder" and found["dead_man_alive"] is False
    now = system_clock()
    watch_file.write(tmp_path / "watcher.json", Watch(looked_at=now, dead_man_ok_at=now))
    assert run("channels")["dead_man_alive"] is True
    with pytest.raises(NotFound):
        run("channels", "--revive", "pigeon")
