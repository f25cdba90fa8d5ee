"""What a verification of the whole ledger found."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from api.core.evidence.trust import STREAM, Trust
from api.core.evidence.verification import Fault, StreamReport


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """`first_key`: the id of the key at the beginning of the chain of keys, "" where nothing is signed."""

    streams: Sequence[StreamReport]
    first_key: str
    faults: Sequence[Fault] = ()

    @property
    def whole(self) -> bool:
        return not self.faults and all(stream.whole for stream in self.streams)

    def every_fault(self) -> list[Fault]:
        return [*self.faults, *(fault for stream in self.streams for fault in stream.faults)]

    def to_json(self) -> dict[str, Any]:
        return {
            "whole": self.whole,
            "first_key": self.first_key,
            "streams": [stream.to_json() for stream in self.streams],
            "faults": [fault.to_json() for fault in self.every_fault()],
        }


def untrusted(trust: Trust, trusted: Collection[str]) -> list[Fault]:
    """A key that is known by other means has to be in the chain of keys."""
    if not trusted or any(key in trust.keys for key in trusted):
        return []
    return [Fault(STREAM, 0, "", f"the trusted key {', '.join(trusted)} is not in the chain of keys")]
