"""What is wrong with a stream: every record that was changed, removed, moved, inserted, badly signed, and an
end that was cut off. Pure; takes records one by one, so that a long stream needs no memory."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api.core.evidence.chain import GENESIS, Head, Record
from api.core.evidence.signing import RECORD
from api.core.evidence.trust import STREAM, Pin, Trust

MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """`record` is its id, "" where it is missing; `seq` its place, 0 where it has none."""

    stream: str
    seq: int
    record: str
    said: str

    def __str__(self) -> str:
        return f"{self.stream}: {self.said}"

    def to_json(self) -> dict[str, Any]:
        return {"stream": self.stream, "seq": self.seq, "record": self.record, "said": str(self)}


@dataclass(slots=True)
class StreamReport:
    """`unsigned`: records from before there was a key. `faults` names a hundred; `found` counts them all."""

    stream: str
    records: int = 0
    unsigned: int = 0
    head: Head | None = None
    faults: list[Fault] = field(default_factory=list)
    found: int = 0

    @property
    def whole(self) -> bool:
        return not self.found

    def to_json(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "records": self.records,
            "unsigned": self.unsigned,
            "head": self.head.to_json() if self.head else None,
            "whole": self.whole,
            "faults": [fault.to_json() for fault in self.faults],
            "faults_found": self.found,
        }


def check_stream(
    stream: str,
    records: Iterable[Record],
    trust: Trust,
    pins: Mapping[int, Pin] = {},
    *,
    every_signature: bool = True,
) -> StreamReport:
    """Without `every_signature` only the last one is verified: its hash covers all records before it."""
    report = StreamReport(stream)
    last: Record | None = None
    for record in records:
        _note(report, _faults(report, record, last, trust, pins))
        if every_signature:
            _note(report, _fault_of_signature(stream, record, trust))
        report.records += 1
        report.unsigned += record.signature is None
        last = record
    if last is not None:
        report.head = Head(last.seq, last.hash)
        if not every_signature:
            _note(report, _fault_of_signature(stream, last, trust))
    _note(report, _cut_off(stream, last.seq if last else 0, pins))
    return report


def _note(report: StreamReport, faults: Iterable[Fault]) -> None:
    for fault in faults:
        report.found += 1
        if len(report.faults) < MOST_NAMED:
            report.faults.append(fault)


def _faults(
    report: StreamReport, record: Record, last: Record | None, trust: Trust, pins: Mapping[int, Pin]
) -> Generator[Fault]:
    expected, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    stream = report.stream

    def fault(said: str) -> Fault:
        return Fault(stream, record.seq, record.id, said)

    if record.stream != stream:
        yield fault(f"{record.name} says it is of {record.stream}")
    if record.seq > expected:
        missing = _places(expected, record.seq - 1)
        yield Fault(stream, expected, "", f"{missing} missing before {record.name}")
    elif record.seq < expected:
        yield fault(f"{record.name} was inserted, repeated or moved: record {expected} belongs there")
    elif record.previous_hash != previous:
        yield fault(f"{record.name} does not follow its predecessor")
    if record.recomputed() != record.hash:
        yield fault(f"{record.name} was changed")
    pin = pins.get(record.seq)
    if pin is not None and pin.hash != record.hash:
        yield fault(f"{record.name} is not what {pin.said_by} has seen there")
    if stream == STREAM and record.id in trust.faults:
        yield fault(f"{record.name} {trust.faults[record.id]}")


def _fault_of_signature(stream: str, record: Record, trust: Trust) -> Generator[Fault]:
    """The stream of keys is judged by `trust`; a ledger without keys is not signed at all."""
    if stream == STREAM or (not trust.keys and record.signature is None):
        return
    if record.signature is None:
        if record.seq > trust.signed_after.get(stream, 0):
            yield Fault(stream, record.seq, record.id, f"{record.name} is not signed")
        return
    key = trust.keys.get(record.key_id or "")
    until = trust.retired.get(record.key_id or "")
    if key is None:
        said = f"{record.name} is signed by a key that nothing endorses ({record.key_id})"
    elif not key.verifies(RECORD, record.hash.encode(), record.signature):
        said = f"the signature of {record.name} is not valid"
    elif until is not None and record.seq > until.get(stream, 0):
        said = f"{record.name} is signed by key {key.id} after that was retired"
    else:
        return
    yield Fault(stream, record.seq, record.id, said)


def _cut_off(stream: str, end: int, pins: Mapping[int, Pin]) -> Generator[Fault]:
    beyond = max(pins, default=0)
    if beyond > end:
        missing = _places(end + 1, beyond)
        said = f"{missing} missing from the end: {pins[beyond].said_by} has seen record {beyond}"
        yield Fault(stream, end + 1, "", said)


def _places(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
