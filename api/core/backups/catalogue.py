"""`BackupRecord`: all that is known about one base backup, kept as JSON beside its files."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from api.core.backups.wal import Segment, format_lsn, parse_lsn, segment_before, segment_of


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """`stopped_at` is the server's time after the backup ended: no earlier moment can be restored from it.

    `size_bytes` is what it takes in the store, `restored_bytes` the data directory it becomes.
    """

    id: str
    kind: str  # "full" | "incremental"
    parent: str | None
    timeline: int
    start_lsn: int
    stop_lsn: int
    started_at: datetime
    stopped_at: datetime
    system_identifier: str
    pg_version: str
    size_bytes: int
    restored_bytes: int
    verified_at: datetime | None = None

    @property
    def first_segment(self) -> Segment:
        """Replay begins here."""
        return segment_of(self.timeline, self.start_lsn)

    @property
    def stop_segment(self) -> Segment:
        """Without the WAL up to here the backup is not even consistent."""
        return segment_before(self.timeline, self.stop_lsn)

    def verified(self, at: datetime) -> "BackupRecord":
        return replace(self, verified_at=at)


def to_json(record: BackupRecord) -> bytes:
    values: dict[str, Any] = asdict(record)
    for name in ("start_lsn", "stop_lsn"):
        values[name] = format_lsn(values[name])
    for name in ("started_at", "stopped_at", "verified_at"):
        values[name] = values[name].isoformat() if values[name] else None
    return json.dumps(values, indent=2).encode() + b"\n"


def from_json(data: bytes) -> BackupRecord:
    """Raises ValueError, KeyError or TypeError for anything that is not a record."""
    values: dict[str, Any] = json.loads(data)
    for name in ("start_lsn", "stop_lsn"):
        values[name] = parse_lsn(values[name])
    for name in ("started_at", "stopped_at", "verified_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return BackupRecord(**values)
