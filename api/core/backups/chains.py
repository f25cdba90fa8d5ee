"""Chains of backups: a full one and the incrementals that build on it, each on the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.backups.catalogue import BackupRecord

MAX_LENGTH = 8  # pg_combinebackup opens every link for every file: long chains restore slowly


@dataclass(frozen=True, slots=True)
class Server:
    """The live server, as far as a backup must match it."""

    system_identifier: str
    timeline: int


def chain_of(records: Mapping[str, BackupRecord], backup_id: str) -> tuple[BackupRecord, ...] | None:
    """From the full backup to `backup_id`; None when a link is missing or belongs to another server."""
    chain: list[BackupRecord] = []
    wanted: str | None = backup_id
    while wanted is not None:
        record = records.get(wanted)
        if record is None or record in chain or (chain and not _fits(record, chain[-1])):
            return None
        chain.append(record)
        wanted = record.parent
    return tuple(reversed(chain)) if chain[-1].kind == "full" else None


def by_id(records: Sequence[BackupRecord]) -> dict[str, BackupRecord]:
    return {record.id: record for record in records}


def next_parent(
    records: Sequence[BackupRecord], server: Server, now: datetime, full_every: timedelta
) -> BackupRecord | None:
    """The backup that the next one should build on; None: take a full one.

    The newest intact chain is extended while it is short; a full-length chain is started anew from its full
    backup, so that no restore ever combines more than `MAX_LENGTH` backups.
    """
    known = by_id(records)
    chains = [chain_of(known, record.id) for record in records if _of(record, server)]
    intact = [chain for chain in chains if chain]
    if not intact:
        return None
    newest = max(intact, key=lambda chain: chain[-1].stop_lsn)
    if now - newest[0].started_at >= full_every:
        return None
    return newest[-1] if len(newest) < MAX_LENGTH else newest[0]


def _of(record: BackupRecord, server: Server) -> bool:
    return record.system_identifier == server.system_identifier and record.timeline == server.timeline


def _fits(parent: BackupRecord, child: BackupRecord) -> bool:
    return (
        parent.system_identifier == child.system_identifier
        and parent.timeline == child.timeline
        and parent.stop_lsn <= child.stop_lsn
    )
