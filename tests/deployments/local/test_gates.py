"""Gates: a part that cannot serve is reported with the end of its log, and early when it keeps dying."""

import os
import time
from pathlib import Path
from threading import Event

import pytest

from api.core.errors import TimedOut, Unavailable
from api.providers.hosting.supervisor import PartProcess
from deployments.local import gates, records
from deployments.local.layout import StateFolder
from deployments.local.parts import BEACON


class FakeSupervisor:
    state = "RUNNING"

    def __init__(self, _root: Path) -> None: ...

    def part(self, name: str) -> PartProcess:
        return PartProcess(name, self.state, 1, None, 1, "")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.create()
    folder.log(BEACON.name).write_text("one\nthe reason\n")
    monkeypatch.setattr(gates, "Supervisor", FakeSupervisor)
    return folder


def silent() -> str:
    return "no answer"


def test_what_serves_is_not_waited_for(state: StateFolder) -> None:
    gates.await_ready(state, BEACON, lambda: None, 0, Event())
    gates.await_ready(state, BEACON, None, 0, Event())  # no probe: its process is enough


def test_what_does_not_serve_in_time_is_told_with_its_log(state: StateFolder) -> None:
    with pytest.raises(TimedOut, match="no answer") as told:
        gates.await_ready(state, BEACON, silent, 0.2, Event())
    assert "the reason" in str(told.value)
    assert str(state.log(BEACON.name)) in told.value.fix


def test_what_was_given_up_on_is_told_at_once(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSupervisor, "state", "FATAL")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not stay up"):
        gates.await_ready(state, BEACON, silent, 60, Event())
    assert time.monotonic() - began < 5


def test_what_dies_again_and_again_is_told_although_it_is_never_given_up_on(state: StateFolder) -> None:
    def dies() -> str:
        records.note(state, BEACON.name, os.getpid())  # another start
        return "no answer"

    with pytest.raises(Unavailable, match="does not stay up"):
        gates.await_ready(state, BEACON, dies, 60, Event())


def test_nobody_waits_when_another_part_failed(state: StateFolder) -> None:
    abandoned = Event()
    abandoned.set()
    with pytest.raises(Unavailable, match="another part failed"):
        gates.await_ready(state, BEACON, silent, 60, abandoned)
