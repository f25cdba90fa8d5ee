"""The hash chain: pure functions over records.

A record's hash is SHA-256 over the hash before it, its place and its canonical JSON; changing, removing or
reordering any record breaks the chain at that record.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Record:
    id: str
    stream: str
    seq: int
    kind: str
    recorded_at: datetime
    body: Mapping[str, Any]
    previous_hash: str
    hash: str


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def record_hash(
    *,
    id: str,
    stream: str,
    seq: int,
    kind: str,
    recorded_at: datetime,
    body: Mapping[str, Any],
    previous: str,
) -> str:
    at = recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(canonical([previous, id, stream, seq, kind, at, body])).hexdigest()


def first_break(records: Iterable[Record]) -> str | None:
    """None for a whole chain (in order of `seq`), else which record breaks it and how."""
    previous, expected_seq = GENESIS, 1
    for record in records:
        if record.seq != expected_seq:
            return f"{record.stream}: record {expected_seq} is missing before {record.id}"
        if record.previous_hash != previous:
            return f"{record.stream}: {record.id} (record {record.seq}) does not follow its predecessor"
        recomputed = record_hash(
            id=record.id,
            stream=record.stream,
            seq=record.seq,
            kind=record.kind,
            recorded_at=record.recorded_at,
            body=record.body,
            previous=previous,
        )
        if recomputed != record.hash:
            return f"{record.stream}: {record.id} (record {record.seq}) was changed"
        previous, expected_seq = record.hash, expected_seq + 1
    return None
