"""What is wrong with an export: in its records, in its manifest, in the keys that signed it. Pure."""

from collections.abc import Collection

from api.core.evidence.chain import canonical
from api.core.evidence.export import MANIFEST, Export
from api.core.evidence.report import LedgerReport, untrusted
from api.core.evidence.signing import EXPORT
from api.core.evidence.trust import CHECKPOINTS, STREAM, Trust, pins, read_trust
from api.core.evidence.verification import Fault, check_stream


def judge(export: Export, trusted: Collection[str] = ()) -> LedgerReport:
    """`trusted`: ids of keys known by other means."""
    trust = read_trust(export.streams.get(STREAM, ()), trusted)
    said = [record for stream in (STREAM, CHECKPOINTS) for record in export.streams.get(stream, ())]
    seen = pins(said, export.heads, "the manifest")
    names = [*export.streams, *sorted(set(seen) - set(export.streams))]
    reports = [check_stream(name, export.streams.get(name, ()), trust, seen.get(name, {})) for name in names]
    return LedgerReport(reports, trust.first, [*untrusted(trust, trusted), *_manifest(export, trust)])


def _manifest(export: Export, trust: Trust) -> list[Fault]:
    found = [
        Fault(stream, 0, "", f"the manifest does not know this stream, of {len(records)} records")
        for stream, records in export.streams.items()
        if stream not in export.heads
    ]
    found += [
        Fault(stream, head.seq + 1, records[-1].id, f"{records[-1].name} is beyond what the manifest knows")
        for stream, head in export.heads.items()
        if (records := export.streams.get(stream)) and records[-1].seq > head.seq
    ]
    return found + _signature(export, trust)


def _signature(export: Export, trust: Trust) -> list[Fault]:
    if export.signature is None:
        return [Fault(MANIFEST, 0, "", "it is not signed: where streams end is anybody's word")]
    key = trust.keys.get(export.key_id or "")
    if key is None:
        return [Fault(MANIFEST, 0, "", f"it is signed by a key that nothing endorses ({export.key_id})")]
    if key.id in trust.retired:
        return [Fault(MANIFEST, 0, "", f"it is signed by key {key.id}, which was retired")]
    if not key.verifies(EXPORT, canonical(export.manifest), export.signature):
        return [Fault(MANIFEST, 0, "", "it was changed: its signature is not valid")]
    return []
