"""Whatever the history: what is removed is never needed, and what is kept restores."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.core.backups.catalogue import BackupRecord
from api.core.backups.chains import by_id, chain_of
from api.core.backups.retention import plan_removal
from api.core.backups.wal import Segment
from tests.api.core.backups.strategies import START, histories, record

KEEP = timedelta(days=4)
days = st.floats(0, 30).map(lambda number: START + timedelta(days=number))


def after(records: list[BackupRecord], now: datetime) -> list[BackupRecord]:
    gone = {each.id for each in plan_removal(records, [], now, KEEP).backups}
    return [each for each in records if each.id not in gone]


def intact(records: list[BackupRecord]) -> list[BackupRecord]:
    return [each for each in records if chain_of(by_id(records), each.id)]


@given(histories(), days)
def test_what_is_kept_is_restorable(records: list[BackupRecord], now: datetime) -> None:
    kept = after(records, now)
    assert intact(kept) == kept


@given(histories(), days)
def test_the_newest_chain_and_the_newest_verified_one_stay(
    records: list[BackupRecord], now: datetime
) -> None:
    kept = {each.id for each in after(records, now)}
    usable = intact(records)
    chains = by_id(records)
    verified = [each for each in usable if all(link.verified_at for link in chain_of(chains, each.id) or ())]
    for group in (usable, verified):
        if group:
            assert max(group, key=lambda each: each.stopped_at).id in kept


@given(histories(), days, st.floats(0, 4))
def test_every_moment_of_the_period_that_was_reachable_still_is(
    records: list[BackupRecord], now: datetime, ago: float
) -> None:
    """By the same backup: the newest one before that moment."""
    moment = now - timedelta(days=ago)
    before = [each for each in intact(records) if each.stopped_at < moment]
    if before:
        best = max(before, key=lambda each: each.stopped_at)
        assert best.id in {each.id for each in after(records, now)}


@given(histories(), days)
def test_no_segment_that_a_kept_backup_needs_goes(records: list[BackupRecord], now: datetime) -> None:
    stored = [Segment(1, number) for number in range(140)]
    removed = plan_removal(records, stored, now, KEEP).segments
    for each in after(records, now):
        assert all(segment < each.first_segment for segment in removed)


@given(histories(), days)
def test_removing_twice_removes_nothing_more(records: list[BackupRecord], now: datetime) -> None:
    assert after(after(records, now), now) == after(records, now)


@given(histories(), days)
def test_children_go_before_their_parents(records: list[BackupRecord], now: datetime) -> None:
    gone = [each.id for each in plan_removal(records, [], now, KEEP).backups]
    for each in plan_removal(records, [], now, KEEP).backups:
        if each.parent in gone:
            assert gone.index(each.id) < gone.index(each.parent)


def test_without_a_backup_no_wal_is_removed() -> None:
    assert plan_removal([], [Segment(1, 1)], START, KEEP).segments == ()


def test_old_chains_do_go() -> None:
    """The negative control: retention that keeps all would pass everything above."""
    full = record(1)
    records = [full, record(2, parent=full), record(10), record(11)]
    removal = plan_removal(records, [Segment(1, n) for n in range(120)], START + timedelta(days=15), KEEP)
    assert [each.id for each in removal.backups] == ["b010", "b002", "b001"]
    assert removal.segments[-1] == Segment(1, 109)
