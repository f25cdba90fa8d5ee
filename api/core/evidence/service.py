"""Append to the ledger, read it, verify it. The caller commits."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.evidence.chain import GENESIS, Record, canonical, first_break, record_hash
from api.core.ids import new_id


def append(session: Session, stream: str, kind: str, body: Mapping[str, Any], now: datetime) -> str:
    """Add a record to `stream` and return its id. Writers of one stream queue behind one another."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('ops.evidence'), hashtext(:s))"), {"s": stream}
    )
    last = session.execute(
        text("SELECT seq, hash FROM ops.evidence WHERE stream = :s ORDER BY seq DESC LIMIT 1"), {"s": stream}
    ).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    plain = json.loads(canonical(body))  # what the database will give back
    id = new_id("evd")
    digest = record_hash(
        id=id, stream=stream, seq=seq, kind=kind, recorded_at=now, body=plain, previous=previous
    )
    session.execute(
        text(
            "INSERT INTO ops.evidence (id, stream, seq, kind, recorded_at, body, previous_hash, hash)"
            " VALUES (:id, :stream, :seq, :kind, :at, CAST(:body AS jsonb), :previous, :hash)"
        ),
        {
            "id": id,
            "stream": stream,
            "seq": seq,
            "kind": kind,
            "at": now,
            "body": json.dumps(plain),
            "previous": previous,
            "hash": digest,
        },
    )
    return id


def records(session: Session, stream: str) -> list[Record]:
    """The records of a stream in order."""
    rows = session.execute(
        text(
            "SELECT id, stream, seq, kind, recorded_at, body, previous_hash, hash"
            " FROM ops.evidence WHERE stream = :s ORDER BY seq"
        ),
        {"s": stream},
    )
    return [Record(**row) for row in rows.mappings()]


def streams(session: Session) -> Sequence[str]:
    return session.execute(text("SELECT DISTINCT stream FROM ops.evidence ORDER BY 1")).scalars().all()


def verify(session: Session, stream: str) -> str | None:
    """None when the stream is whole, else the record that breaks it and how."""
    return first_break(records(session, stream))
