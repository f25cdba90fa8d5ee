"""Append to the ledger, read it, checkpoint it, verify it. The caller commits."""

from collections.abc import Collection, Generator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.errors import NotFound
from api.core.evidence import keyring
from api.core.evidence.chain import Head, Record
from api.core.evidence.exports import Export, make
from api.core.evidence.report import LedgerReport, untrusted
from api.core.evidence.signing import key_of
from api.core.evidence.trust import CHECKPOINTS, STREAM, Pins, Trust, pins, read_trust
from api.core.evidence.verification import check_stream
from api.core.evidence.writing import heads, streams, write

_COLUMNS = "id, stream, seq, kind, recorded_at, body, previous_hash, hash, key_id, signature"
_AT_ONCE = 1_000


def append(session: Session, stream: str, kind: str, body: Mapping[str, Any], now: datetime) -> str:
    """Add a record to `stream` and return its id. Writers of one stream queue behind one another.

    Record and signature are one row: whatever is interrupted, neither is there without the other."""
    key = key_of(session)
    if key is not None:
        keyring.introduce(session, key, now)
    return write(session, stream, kind, lambda _previous: body, now, key)


def checkpoint(session: Session, now: datetime) -> str | None:
    """Sign where every stream ends, unless nothing has come since the last checkpoint. Returns its id."""
    key = key_of(session)
    if key is not None:
        keyring.introduce(session, key, now)
    found = {stream: head for stream, head in heads(session).items() if stream != CHECKPOINTS}
    said = {stream: head.to_json() for stream, head in found.items()}
    newest = _newest(session, CHECKPOINTS)
    if not said or (newest is not None and newest.body["heads"] == said):
        return None
    return write(session, CHECKPOINTS, "checkpoint", lambda _previous: {"heads": said}, now, key)


def records(session: Session, stream: str) -> list[Record]:
    """The records of a stream in order."""
    return list(_stream(session, stream))


def ends(session: Session) -> Mapping[str, Head]:
    """Every stream by name, with where it ends."""
    return dict(sorted(heads(session).items()))


def newest(session: Session, stream: str | None, limit: int) -> list[Record]:
    """Of one stream or of all, newest first."""
    where = "WHERE stream = :s" if stream else ""
    query = f"SELECT {_COLUMNS} FROM ops.evidence {where} ORDER BY recorded_at DESC, seq DESC LIMIT :n"  # noqa: S608
    return [Record(**row) for row in session.execute(text(query), {"s": stream, "n": limit}).mappings()]


def get(session: Session, record_id: str) -> Record:
    """Raises `NotFound`."""
    query = f"SELECT {_COLUMNS} FROM ops.evidence WHERE id = :id"  # noqa: S608
    found = session.execute(text(query), {"id": record_id}).mappings().one_or_none()
    if found is None:
        raise NotFound(
            f"There is no evidence {record_id}.", fix="`firstuser evidence list` shows the newest."
        )
    return Record(**found)


def verify(session: Session, stream: str) -> str | None:
    """None when the stream is whole, else the first fault. Every hash, and the signature over the last one,
    which covers them all: `audit` verifies every signature."""
    checkpoint = _newest(session, CHECKPOINTS)
    newest = (*_stream(session, STREAM), *([checkpoint] if checkpoint else []))
    report = check_stream(
        stream,
        _stream(session, stream),
        _trust(session),
        pins(newest).get(stream, {}),
        every_signature=False,
    )
    return str(report.faults[0]) if report.faults else None


def audit(
    session: Session, trusted: Collection[str] = (), against: Mapping[str, Head] | None = None
) -> LedgerReport:
    """Every stream, record by record. `trusted`: ids of keys known by other means, one of which has to be in
    the chain of keys. `against`: what an older export or checkpoint says of where streams ended."""
    trust, seen = _trust(session, trusted), _pins(session, against or {})
    known = [STREAM, *(name for name in streams(session) if name != STREAM)]
    names = [*known, *sorted(set(seen) - set(known))]
    reports = [check_stream(name, _stream(session, name), trust, seen.get(name, {})) for name in names]
    return LedgerReport(
        [report for report in reports if report.records or report.faults],
        trust.first,
        untrusted(trust, trusted),
    )


def export(session: Session) -> Export:
    """The whole ledger, its manifest signed with the key that the session's engine has."""
    found = {
        name: records(session, name) for name in sorted(streams(session), key=lambda s: (s != STREAM, s))
    }
    return make(found, key_of(session))


def _trust(session: Session, trusted: Collection[str] = ()) -> Trust:
    return read_trust(_stream(session, STREAM), trusted)


def _pins(session: Session, against: Mapping[str, Head]) -> Pins:
    return pins((*_stream(session, STREAM), *_stream(session, CHECKPOINTS)), against)


def _newest(session: Session, stream: str) -> Record | None:
    row = session.execute(
        text(f"SELECT {_COLUMNS} FROM ops.evidence WHERE stream = :s ORDER BY seq DESC LIMIT 1"),  # noqa: S608
        {"s": stream},
    ).mappings()
    return next((Record(**values) for values in row), None)


def _stream(session: Session, stream: str) -> Generator[Record]:
    rows = session.execute(
        text(f"SELECT {_COLUMNS} FROM ops.evidence WHERE stream = :s ORDER BY seq"),  # noqa: S608
        {"s": stream},
        execution_options={"yield_per": _AT_ONCE},
    )
    for row in rows.mappings():
        yield Record(**row)
