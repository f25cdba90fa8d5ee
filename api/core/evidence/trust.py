"""Which keys count: the ledger's stream `signing-keys` is a chain of them.

The first key introduces itself; each later one is introduced by a record that an earlier one has signed, and
proves in it that its private half was there. A key that introduces itself later (the earlier one was lost)
counts only for who trusts it by other means. A retired key signs nothing after the heads of its retirement.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api.core.errors import Refused
from api.core.evidence.chain import Head, Record
from api.core.evidence.signing import POSSESSION, RECORD, PublicKey

STREAM = "signing-keys"
CHECKPOINTS = "checkpoints"
INTRODUCED, RETIRED = "key", "key_retired"


@dataclass(frozen=True, slots=True)
class Pin:
    """A signed record said that `stream` had this hash at this place."""

    hash: str
    said_by: str


Pins = Mapping[str, Mapping[int, Pin]]


@dataclass(slots=True)
class Trust:
    """`signed_after`: up to which record of each stream nothing was signed yet. `retired`: key → stream → the
    last record that it may have signed. `faults`: record id → what is wrong with it as a key's record."""

    keys: dict[str, PublicKey] = field(default_factory=dict)
    first: str = ""
    signed_after: dict[str, int] = field(default_factory=dict)
    retired: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def possession(public: PublicKey, previous_hash: str) -> bytes:
    """What a key signs to enter the chain at one place of it, and no other."""
    return f"{public.raw.hex()}:{previous_hash}".encode()


def read_trust(records: Iterable[Record], trusted: Collection[str] = ()) -> Trust:
    """`trusted`: ids of keys that are known by other means."""
    trust = Trust()
    for record in records:
        fault = _introduce(trust, record, trusted) if record.kind == INTRODUCED else _other(trust, record)
        if fault:
            trust.faults[record.id] = fault
    return trust


def _introduce(trust: Trust, record: Record, trusted: Collection[str]) -> str:
    try:
        public = PublicKey.from_hex(str(record.body.get("public_key")))
    except Refused:
        return "holds no public key"
    if not public.verifies(
        POSSESSION, possession(public, record.previous_hash), str(record.body.get("proof"))
    ):
        return f"does not prove that key {public.id} was there"
    if record.key_id == public.id:
        if trust.first and public.id not in trusted:
            return f"introduces key {public.id}, which no earlier key endorses"
        if not _signed(record, public):
            return "its signature is not valid"
    elif fault := _fault_of_signature(trust, record):
        return fault
    trust.keys[public.id] = public
    if not trust.first:
        trust.first = public.id
        trust.signed_after = {stream: head.seq for stream, head in heads(record).items()}
    return ""


def _other(trust: Trust, record: Record) -> str:
    if fault := _fault_of_signature(trust, record):
        return fault
    if record.kind == RETIRED:
        until = {stream: head.seq for stream, head in heads(record).items()}
        trust.retired[str(record.body.get("key_id"))] = until
        return ""
    return "is no record of a key"


def _fault_of_signature(trust: Trust, record: Record) -> str:
    known = trust.keys.get(record.key_id or "")
    if known is None:
        return "is not signed by a key that was introduced before"
    if known.id in trust.retired:
        return f"is signed by key {known.id}, which was retired before"
    return "" if _signed(record, known) else "its signature is not valid"


def _signed(record: Record, key: PublicKey) -> bool:
    return record.signature is not None and key.verifies(RECORD, record.hash.encode(), record.signature)


def heads(record: Record) -> dict[str, Head]:
    """What a record of a key or a checkpoint says of other streams; {} when it says nothing readable."""
    said: Any = record.body.get("heads")
    if not isinstance(said, dict):
        return {}
    found: dict[str, Head] = {}
    for stream, head in said.items():
        if isinstance(head, dict) and isinstance(head.get("seq"), int):
            found[str(stream)] = Head(int(head["seq"]), str(head.get("hash")))
    return found


def pins(
    records: Iterable[Record], known: Mapping[str, Head] = {}, said_by: str = "what was kept elsewhere"
) -> dict[str, dict[int, Pin]]:
    """What signed records say of the streams, and what is `known` otherwise."""
    found: dict[str, dict[int, Pin]] = defaultdict(dict)
    for stream, head in known.items():
        found[stream][head.seq] = Pin(head.hash, said_by)
    for record in records:
        for stream, head in heads(record).items():
            found[stream].setdefault(head.seq, Pin(head.hash, f"{record.stream} {record.id}"))
    return found
