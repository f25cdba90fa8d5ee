"""The whole ledger as it is handed over: every stream, where each ends, and a signature over the ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.core.evidence.chain import Head, Record, canonical, iso
from api.core.evidence.signing import EXPORT, SigningKey

FORMAT = "firstuser-evidence-1"
MANIFEST = "(manifest)"


@dataclass(frozen=True, slots=True)
class Export:
    """`as_of`: when the newest record was made. `key_id` and `signature` are the manifest's."""

    as_of: str
    streams: Mapping[str, Sequence[Record]]
    heads: Mapping[str, Head]
    key_id: str | None
    signature: str | None

    @property
    def manifest(self) -> dict[str, Any]:
        ends = {stream: head.to_json() for stream, head in self.heads.items()}
        return {"format": FORMAT, "as_of": self.as_of, "heads": ends}


def make(streams: Mapping[str, Sequence[Record]], key: SigningKey | None) -> Export:
    """Of streams that are not empty."""
    newest = max((record.recorded_at for records in streams.values() for record in records), default=None)
    heads = {stream: Head(records[-1].seq, records[-1].hash) for stream, records in streams.items()}
    unsigned = Export(iso(newest) if newest else "", streams, heads, None, None)
    if key is None:
        return unsigned
    signature = key.sign(EXPORT, canonical(unsigned.manifest))
    return Export(unsigned.as_of, streams, heads, key.id, signature)
