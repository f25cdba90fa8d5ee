"""Signing keys in the ledger: the first introduces itself, each later one is endorsed by the one before, an
old one is retired at the place where every stream then stands. Public halves alone. The caller commits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.errors import Refused
from api.core.evidence.signing import POSSESSION, SigningKey
from api.core.evidence.trust import INTRODUCED, RETIRED, STREAM, possession
from api.core.evidence.writing import heads, lock, write

_ANY = text("SELECT EXISTS (SELECT FROM ops.evidence WHERE stream = :s)")
_KNOWN = text(
    "SELECT EXISTS (SELECT FROM ops.evidence WHERE stream = :s AND kind = :kind AND body->>'key_id' = :key)"
)


def introduce(session: Session, key: SigningKey, now: datetime) -> None:
    """Begin the chain of keys with `key`, where there is none yet."""
    if _begun(session):
        return
    lock(session, STREAM)
    if not _begun(session):
        _write(session, key, key, now)


def endorse(session: Session, key: SigningKey, by: SigningKey, now: datetime) -> bool:
    """`by` introduces `key`; False when it had. Raises `Refused` when `by` itself does not count."""
    introduce(session, by, now)
    if not is_known(session, by.id) or is_retired(session, by.id):
        raise Refused(
            f"The ledger does not take key {by.id} as one that endorses others.",
            fix="Set FIRSTUSER_EVIDENCE_KEY to the newest key that the ledger knows.",
        )
    lock(session, STREAM)
    if is_known(session, key.id):
        return False
    _write(session, key, by, now)
    return True


def start_anew(session: Session, key: SigningKey, now: datetime) -> None:
    """The earlier key is lost: `key` introduces itself. It counts for those who trust it by other means."""
    lock(session, STREAM)
    if not is_known(session, key.id):
        _write(session, key, key, now)


def retire(session: Session, key_id: str, by: SigningKey, now: datetime) -> bool:
    """What `key_id` signs from here on is a fault. False when it was retired before. Raises `Refused`."""
    if key_id == by.id or not is_known(session, key_id):
        raise Refused(
            f"Key {key_id} cannot be retired: it is the current one, or not known.",
            fix="`firstuser evidence keys` lists them; rotate first.",
        )
    lock(session, STREAM)
    if is_retired(session, key_id):
        return False
    said = {stream: head.to_json() for stream, head in heads(session).items()}
    write(session, STREAM, RETIRED, lambda _: {"key_id": key_id, "heads": said}, now, by)
    return True


def is_known(session: Session, key_id: str) -> bool:
    return bool(session.execute(_KNOWN, {"s": STREAM, "kind": INTRODUCED, "key": key_id}).scalar_one())


def is_retired(session: Session, key_id: str) -> bool:
    return bool(session.execute(_KNOWN, {"s": STREAM, "kind": RETIRED, "key": key_id}).scalar_one())


def _begun(session: Session) -> bool:
    return bool(session.execute(_ANY, {"s": STREAM}).scalar_one())


def _write(session: Session, key: SigningKey, by: SigningKey, now: datetime) -> None:
    said = {stream: head.to_json() for stream, head in heads(session).items()}

    def body(previous: str) -> Mapping[str, Any]:
        proof = key.sign(POSSESSION, possession(key.public, previous))
        return {"key_id": key.id, "public_key": key.public.raw.hex(), "proof": proof, "heads": said}

    write(session, STREAM, INTRODUCED, body, now, by)
