"""The choice of a backup for a target; the refusals are shown on a real server elsewhere."""

from datetime import timedelta

import pytest

from api.core.backups.catalogue import BackupRecord
from api.core.backups.wal import SEGMENT_BYTES, Run, Segment, format_lsn
from api.core.backups.windows import Commit, Window, choose, windows
from api.core.errors import Refused
from api.core.ports import RestoreTarget
from tests.api.core.backups.strategies import START, record

HOUR = timedelta(hours=1)
NOW = START + timedelta(days=30)
FULL = record(1)
CHILD = record(2, parent=FULL)


def last_commit(run: Run, since: int) -> Commit:
    """One commit at the start of every segment, a tenth of a day apart: segment 10 is of day 1."""
    return Commit(START + timedelta(days=run.last / 10), run.last * SEGMENT_BYTES)


def found(records: list[BackupRecord], *stored: range) -> list[Window]:
    return windows(records, [Segment(1, number) for each in stored for number in each], last_commit)


def chosen(target: RestoreTarget, *stored: range) -> str:
    return choose(found([FULL, CHILD], *stored), target, NOW).record.id


def code(target: RestoreTarget, *stored: range) -> str:
    with pytest.raises(Refused) as caught:
        chosen(target, *stored)
    return caught.value.code


def test_the_newest_backup_before_the_target_is_chosen() -> None:
    assert chosen(RestoreTarget(CHILD.stopped_at + HOUR), range(10, 40)) == CHILD.id
    assert chosen(RestoreTarget(CHILD.stopped_at - HOUR), range(10, 40)) == FULL.id


def test_the_end_of_the_backup_itself_belongs_to_the_one_before() -> None:
    assert chosen(RestoreTarget(CHILD.stopped_at), range(10, 40)) == FULL.id
    assert code(RestoreTarget(FULL.stopped_at), range(10, 40)) == "target_before_first_restore_point"


def test_an_lsn_wins_over_the_time() -> None:
    at = CHILD.stopped_at + HOUR
    assert chosen(RestoreTarget(at, format_lsn(CHILD.stop_lsn - 1)), range(10, 40)) == FULL.id
    assert chosen(RestoreTarget(at, format_lsn(CHILD.stop_lsn)), range(10, 40)) == CHILD.id
    assert code(RestoreTarget(at, format_lsn(40 * SEGMENT_BYTES)), range(10, 40)) == "target_not_archived"


def test_a_commit_after_the_target_must_be_stored() -> None:
    newest = last_commit(Run(1, 10, 39), 0).at
    assert code(RestoreTarget(newest), range(10, 40)) == "target_not_archived"
    assert chosen(RestoreTarget(newest - timedelta(seconds=1)), range(10, 40)) == CHILD.id


def test_a_gap_ends_the_window_of_the_backup_before_it() -> None:
    gap = (range(10, 15), range(20, 40))
    assert chosen(RestoreTarget(START + timedelta(days=1.2)), *gap) == FULL.id
    assert code(RestoreTarget(START + timedelta(days=1.7)), *gap) == "target_in_wal_gap"
    assert chosen(RestoreTarget(START + timedelta(days=3)), *gap) == CHILD.id


def test_a_backup_whose_own_wal_is_missing_reaches_nothing() -> None:
    (window,) = found([FULL], range(12, 40))
    assert window.point().latest is None
    with pytest.raises(Refused):
        choose([window], RestoreTarget(FULL.stopped_at + HOUR), NOW)


def test_a_backup_without_its_parent_is_not_offered() -> None:
    assert found([CHILD], range(10, 40)) == []
