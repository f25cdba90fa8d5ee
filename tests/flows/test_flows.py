"""The flows as ops meet them: names, forms, and verdicts that turn a run red. Logic is tested below them."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pytest
from prefect.exceptions import ParameterTypeError

from api.core.drills.drilling import DEFAULT_CHECKS, OPTIONAL_CHECKS
from api.core.errors import Conflict, Refused, Rejected
from api.core.ports import OnProgress, RestorePoint, unheard
from flows import backups, housekeeping, restore_drill, wiring


def test_the_form_offers_every_check_and_no_other() -> None:
    assert set(restore_drill.CheckName.__args__) == {*DEFAULT_CHECKS, *OPTIONAL_CHECKS}
    assert set(restore_drill.ALL_BUT_SLOW) == set(DEFAULT_CHECKS)


@pytest.mark.parametrize(
    "bad",
    [
        {"rto_target": 0},
        {"rpo_target": -1},
        {"checks": ["telepathy"]},
        {"keep_minutes": 1441},
        {"trigger": "nobody"},
    ],
)
def test_the_form_refuses_what_makes_no_sense(bad: dict[str, object]) -> None:
    with pytest.raises(ParameterTypeError, match="invalid parameters"):
        restore_drill.restore_drill.validate_parameters(bad)


def test_every_parameter_says_what_it_is() -> None:
    properties = restore_drill.restore_drill.parameters.model_dump()["properties"]
    assert {"target", "rto_target", "rpo_target", "checks", "keep_minutes", "trigger"} == set(properties)
    assert all(described.get("description") for described in properties.values())


class Keeper:
    """Answers as the provider would, with a gap and a damaged backup."""

    name = "fake"

    def take_backup(self, kind: str, on_progress: OnProgress = unheard) -> RestorePoint:
        raise AssertionError("nobody asked for this")

    def prune(self, now: datetime, retention_days: float, on_progress: OnProgress = unheard) -> object:
        raise AssertionError("nobody asked for this")

    def wal_gaps(self) -> Sequence[object]:
        return ["3 segments missing, A to C"]

    def restore_points(self) -> Sequence[RestorePoint]:
        return [RestorePoint("full-1", "full", datetime.now().astimezone(), None, 1)]

    def verify_backup(self, backup_id: str, on_progress: OnProgress = unheard) -> RestorePoint:
        raise Rejected(
            f"Backup {backup_id} is damaged.", provider="fake", operation="verify", fix="Take a full one."
        )


def test_gaps_and_damage_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "database", lambda: Keeper())
    assert backups.find_wal_gaps.fn() == ["WAL gap: 3 segments missing, A to C"]
    assert backups.reverify_newest.fn() == ["Backup full-1 is damaged. Take a full one."]


def test_a_provider_that_keeps_its_own_backups_is_not_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vendor:
        name = "vendor"

    monkeypatch.setattr(wiring, "database", lambda: Vendor())
    with pytest.raises(Refused, match="takes its own backups"):
        wiring.backup_keeper()


def test_the_sweep_steps_aside_while_a_drill_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def busy(wait_s: float = 0) -> Generator[None]:
        raise Conflict("Another restore drill is running.")
        yield

    monkeypatch.setattr(wiring, "drill_lock", busy)
    assert housekeeping.sweep_now() == ["a drill is running: nothing swept"]
