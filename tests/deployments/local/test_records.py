"""Records: a process id that was given to somebody else is not mistaken for a part."""

import json
import os
from pathlib import Path

import pytest

from deployments.local import records
from deployments.local.layout import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.create()
    return folder


def test_a_living_part_is_a_survivor(state: StateFolder) -> None:
    records.note(state, "beacon", os.getpid())
    assert [(name, process.pid) for name, process in records.survivors(state)] == [("beacon", os.getpid())]


def test_a_reused_process_id_is_not(state: StateFolder) -> None:
    records.note(state, "beacon", os.getpid())
    path = state.run / "beacon.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created": 1.0}))
    assert records.survivors(state) == []


def test_starts_are_counted_until_forgotten(state: StateFolder) -> None:
    for expected in (1, 2, 3):
        records.note(state, "beacon", os.getpid())
        found = records.read(state, "beacon")
        assert found is not None
        assert found.starts == expected
    records.forget(state, "beacon")
    assert records.read(state, "beacon") is None
