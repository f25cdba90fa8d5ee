"""Damage in the store is found and named; recovery gives up at once instead of hanging or opening early."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from api.core.backups.wal import segment_of
from api.core.errors import Rejected
from api.core.ports import RestoreTarget
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.provider import EmbeddedDatabase
from tests.api.providers.databases.conftest import History, flip_byte, now, restore_to, silent, store_of


def largest_file(folder: Path) -> Path:
    return max(
        (path for path in (folder / "base").rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )


def test_one_flipped_byte_in_a_backup_is_found(damaged: EmbeddedDatabase, history: History) -> None:
    folder = damaged.store.local_path(data_key(history.full.id))
    assert folder is not None
    assert damaged.verify_backup(history.full.id).verified_at
    victim = largest_file(folder)
    flip_byte(victim, victim.stat().st_size // 2)
    with pytest.raises(Rejected, match=f"damaged.*{victim.name}"):
        damaged.verify_backup(history.full.id)


def test_a_copy_made_from_a_damaged_backup_says_so(
    damaged: EmbeddedDatabase, history: History, name: str
) -> None:
    folder = damaged.store.local_path(data_key(history.full.id))
    assert folder is not None
    flip_byte(largest_file(folder), 9000)
    handle = restore_to(damaged, RestoreTarget(history.target), name)
    facts = {fact.name: fact for fact in damaged.verify(handle)}
    assert not facts["backup_manifest"].ok
    assert history.full.id in facts["backup_manifest"].observed
    assert facts["backup_manifest"].fix


def test_a_missing_segment_is_refused_by_locate_and_seen_by_verify(
    damaged: EmbeddedDatabase, history: History, name: str
) -> None:
    handle = restore_to(damaged, RestoreTarget(history.target), name)
    (store_of(damaged) / "wal" / handle.details["last_segment"]).unlink()
    facts = {fact.name: fact for fact in damaged.verify(handle)}
    assert not facts["wal_continuity"].ok
    assert handle.details["last_segment"] in facts["wal_continuity"].observed


def test_a_segment_lost_between_locating_and_replaying(
    damaged: EmbeddedDatabase, history: History, name: str
) -> None:
    """The copy must give up, quickly, and must not open before its target."""
    plan = damaged.locate(RestoreTarget(history.middle))
    located = damaged._reach.locate(plan.target, now(), plan.point.id)  # pyright: ignore[reportPrivateUsage]
    lost = located.segments[-1].name
    (store_of(damaged) / "wal" / lost).unlink()
    started = time.monotonic()
    with pytest.raises(Rejected, match="before the target"):
        handle = damaged._copies.create(located, name, now() + timedelta(hours=1), silent)  # pyright: ignore[reportPrivateUsage]
        damaged.wait(handle, silent)
    assert time.monotonic() - started < 20


def test_one_flipped_byte_in_the_wal_stops_recovery_with_its_reason(
    damaged: EmbeddedDatabase, history: History, name: str
) -> None:
    """Found by the checksum of the last record that has to be replayed."""
    plan = damaged.locate(RestoreTarget(history.middle))
    last = damaged._reach.locate(plan.target, now()).last  # pyright: ignore[reportPrivateUsage]
    assert last is not None
    segment = segment_of(history.full.timeline, last.lsn)
    flip_byte(store_of(damaged) / "wal" / segment.name, last.lsn - segment.start_lsn + 30)
    with pytest.raises(Rejected, match="before the target") as caught:
        handle = damaged.restore(plan, name, now() + timedelta(hours=1), silent)
        damaged.wait(handle, silent)
    assert "checksum" in caught.value.message or "invalid" in caught.value.message
    assert caught.value.fix


def test_an_unreadable_record_is_named(damaged: EmbeddedDatabase, history: History) -> None:
    record = store_of(damaged) / "backups" / history.full.id / "backup.json"
    record.unlink()  # the file itself is a link
    record.write_text("{}")
    with pytest.raises(Rejected, match=history.full.id):
        damaged.restore_points()
