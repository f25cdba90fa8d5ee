"""The hash chain: pure functions over records.

A record's hash is SHA-256 over the hash before it, its place and its canonical JSON; changing, removing or
reordering any record breaks the chain at that record.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Record:
    """`seq` counts from 1 in its stream. Hashes and signature in hex; unsigned where no key was set."""

    id: str
    stream: str
    seq: int
    kind: str
    recorded_at: datetime
    body: Mapping[str, Any]
    previous_hash: str
    hash: str
    key_id: str | None = None
    signature: str | None = None

    @property
    def name(self) -> str:
        return f"{self.id} (record {self.seq})"

    def recomputed(self) -> str:
        return record_hash(
            id=self.id,
            stream=self.stream,
            seq=self.seq,
            kind=self.kind,
            recorded_at=self.recorded_at,
            body=self.body,
            previous=self.previous_hash,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a stream at some moment."""

    seq: int
    hash: str

    def to_json(self) -> dict[str, Any]:
        return {"seq": self.seq, "hash": self.hash}


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
    return hashlib.sha256(canonical([previous, id, stream, seq, kind, iso(recorded_at), body])).hexdigest()


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
