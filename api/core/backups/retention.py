"""What may be deleted so that every moment of the last `keep` remains restorable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.backups.catalogue import BackupRecord
from api.core.backups.chains import by_id, chain_of
from api.core.backups.wal import Segment


@dataclass(frozen=True, slots=True)
class Removal:
    """Backups children first, so that an interrupted removal never leaves one without its parent."""

    backups: tuple[BackupRecord, ...]
    segments: tuple[Segment, ...]


def plan_removal(
    records: Sequence[BackupRecord], stored: Iterable[Segment], now: datetime, keep: timedelta
) -> Removal:
    """Kept are: what reaches into the period, the last backup before it (its WAL covers the period's first
    moments), the newest intact chain and the newest intact chain that was verified."""
    kept = _kept(records, now - keep)
    gone = [record for record in records if record.id not in kept]
    gone.sort(key=lambda record: (record.stop_lsn, record.stopped_at), reverse=True)
    return Removal(tuple(gone), _unneeded([r for r in records if r.id in kept], stored))


def _kept(records: Sequence[BackupRecord], cutoff: datetime) -> set[str]:
    known = by_id(records)
    chains = [chain for record in records if (chain := chain_of(known, record.id))]
    chains.sort(key=lambda chain: chain[-1].stopped_at)
    before = [chain for chain in chains if chain[-1].stopped_at <= cutoff]
    verified = [chain for chain in chains if all(link.verified_at for link in chain)]
    needed = [chain for chain in chains if chain[-1].stopped_at > cutoff]
    needed += before[-1:] + chains[-1:] + verified[-1:]
    return {link.id for chain in needed for link in chain}


def _unneeded(kept: Sequence[BackupRecord], stored: Iterable[Segment]) -> tuple[Segment, ...]:
    """Segments older than every kept backup. With no backup at all nothing is deleted."""
    if not kept:
        return ()
    floor = min(record.first_segment for record in kept)
    return tuple(sorted(segment for segment in stored if segment < floor))
