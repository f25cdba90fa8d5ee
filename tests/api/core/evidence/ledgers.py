"""Ledgers made in memory, as the database would hold them, with real keys."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api.core.evidence import exports
from api.core.evidence.chain import GENESIS, Head, Record, record_hash
from api.core.evidence.exports import Export
from api.core.evidence.signing import POSSESSION, RECORD, SigningKey
from api.core.evidence.trust import CHECKPOINTS, INTRODUCED, RETIRED, STREAM, possession

START = datetime(2026, 11, 22, tzinfo=UTC)
FIRST, SECOND, STRANGER = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3))


class Ledger:
    """Appends like the real one; `key` signs, None leaves records unsigned."""

    def __init__(self, key: SigningKey | None = FIRST) -> None:
        self.streams: dict[str, list[Record]] = {}
        self.key = key
        if key:
            self.introduce(key, key)

    def append(self, stream: str, kind: str, body: dict[str, Any], key: SigningKey | None = None) -> Record:
        records = self.streams.setdefault(stream, [])
        previous, seq = (records[-1].hash, len(records) + 1) if records else (GENESIS, 1)
        count = sum(len(each) for each in self.streams.values())
        record = Record(
            id=f"evd_{stream}_{seq}",
            stream=stream,
            seq=seq,
            kind=kind,
            recorded_at=START + timedelta(minutes=count),
            body=body,
            previous_hash=previous,
            hash="",
        )
        records.append(sealed(record, key or self.key))
        return records[-1]

    def introduce(self, key: SigningKey, by: SigningKey) -> None:
        proof = key.sign(POSSESSION, possession(key.public, self._end(STREAM)))
        body = {"key_id": key.id, "public_key": key.public.raw.hex(), "proof": proof, "heads": self.heads()}
        self.append(STREAM, INTRODUCED, body, by)

    def retire(self, key: SigningKey, by: SigningKey) -> None:
        self.append(STREAM, RETIRED, {"key_id": key.id, "heads": self.heads()}, by)

    def checkpoint(self) -> None:
        heads = {stream: head for stream, head in self.heads().items() if stream != CHECKPOINTS}
        self.append(CHECKPOINTS, "checkpoint", {"heads": heads})

    def heads(self) -> dict[str, Any]:
        return {
            stream: Head(records[-1].seq, records[-1].hash).to_json()
            for stream, records in self.streams.items()
        }

    def export(self, form: str = "json") -> str:
        return exports.render(exports.make(self.streams, self.key), form)

    def _end(self, stream: str) -> str:
        records = self.streams.get(stream)
        return records[-1].hash if records else GENESIS


def sealed(record: Record, key: SigningKey | None) -> Record:
    """With a fresh hash and signature, as whoever holds `key` can make them."""
    digest = record_hash(
        id=record.id,
        stream=record.stream,
        seq=record.seq,
        kind=record.kind,
        recorded_at=record.recorded_at,
        body=record.body,
        previous=record.previous_hash,
    )
    signature = key.sign(RECORD, digest.encode()) if key else None
    return replace(record, hash=digest, key_id=key.id if key else None, signature=signature)


def sample() -> Ledger:
    """Two streams, two keys, a checkpoint, strange values."""
    ledger = Ledger()
    for n in range(3):
        ledger.append("drills", "drill", {"rto": n + 0.5, "said": 'a "b"\n<c> ü', "nothing": None})
    ledger.append("rotations", "rotated", {"secret": "API key", "versions": [1, 2]})
    ledger.checkpoint()
    ledger.introduce(SECOND, FIRST)
    ledger.key = SECOND
    ledger.append("drills", "drill", {"rto": 1e22, "said": "=1+1"})
    ledger.append("rotations", "retired", {})
    ledger.checkpoint()
    return ledger


def with_records(export: Export, stream: str, records: Sequence[Record]) -> Export:
    return replace(export, streams={**export.streams, stream: list(records)})
