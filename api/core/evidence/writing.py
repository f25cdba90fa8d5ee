"""One row of the ledger: place, hash, signature. The database keeps its own watch over the order."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.evidence.chain import GENESIS, Head, canonical, record_hash
from api.core.evidence.signing import RECORD, SigningKey
from api.core.ids import new_id

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('ops.evidence'), hashtext(:s))")
_LAST = text("SELECT seq, hash FROM ops.evidence WHERE stream = :s ORDER BY seq DESC LIMIT 1")
_PLAIN = text("SELECT CAST(:body AS jsonb)")
_INSERT = text(
    "INSERT INTO ops.evidence"
    " (id, stream, seq, kind, recorded_at, body, previous_hash, hash, key_id, signature)"
    " VALUES (:id, :stream, :seq, :kind, :at, CAST(:body AS jsonb), :previous, :hash, :key_id, :signature)"
)
# From one stream to the next by the index: however long the streams are, this costs the same.
_STREAMS = """WITH RECURSIVE found AS (
    (SELECT stream FROM ops.evidence ORDER BY stream LIMIT 1)
    UNION ALL
    SELECT (SELECT e.stream FROM ops.evidence e WHERE e.stream > found.stream ORDER BY e.stream LIMIT 1)
    FROM found WHERE found.stream IS NOT NULL
)"""
_NAMES = text(f"{_STREAMS} SELECT stream FROM found WHERE stream IS NOT NULL")  # noqa: S608
_HEADS = text(
    f"{_STREAMS} SELECT last.stream, last.seq, last.hash FROM found, LATERAL ("  # noqa: S608
    " SELECT stream, seq, hash FROM ops.evidence e WHERE e.stream = found.stream ORDER BY seq DESC LIMIT 1"
    ") last"
)


def lock(session: Session, stream: str) -> None:
    """Until the transaction ends, nobody else writes to the stream."""
    session.execute(_LOCK, {"s": stream})


def write(
    session: Session,
    stream: str,
    kind: str,
    body: Callable[[str], Mapping[str, Any]],
    now: datetime,
    key: SigningKey | None,
) -> str:
    """`body` is made for the hash that it will follow. Returns the record's id."""
    lock(session, stream)
    last = session.execute(_LAST, {"s": stream}).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    # Hashed is what the database will give back: it writes 1e22 and -0.0 its own way.
    plain = session.execute(_PLAIN, {"body": canonical(body(previous)).decode()}).scalar_one()
    id = new_id("evd")
    digest = record_hash(
        id=id, stream=stream, seq=seq, kind=kind, recorded_at=now, body=plain, previous=previous
    )
    values = {"id": id, "stream": stream, "seq": seq, "kind": kind, "at": now, "body": json.dumps(plain)}
    signed = {
        "key_id": key.id if key else None,
        "signature": key.sign(RECORD, digest.encode()) if key else None,
    }
    session.execute(_INSERT, {**values, **signed, "previous": previous, "hash": digest})
    return id


def streams(session: Session) -> list[str]:
    """In alphabetical order."""
    return list(session.execute(_NAMES).scalars())


def heads(session: Session) -> dict[str, Head]:
    """Where every stream ends."""
    return {row.stream: Head(row.seq, row.hash) for row in session.execute(_HEADS)}
