"""An export verified with nothing but itself, and at best a public key that was handed over another way."""

from collections.abc import Collection
from dataclasses import replace
from itertools import zip_longest

from api.core.evidence import exports
from api.core.evidence.chain import Head
from api.core.evidence.judging import judge
from api.core.evidence.report import LedgerReport
from api.core.evidence.verification import Fault


def verify(text: str, trusted: Collection[str] = ()) -> LedgerReport:
    """Every record, the manifest, and the file itself, byte by byte. `trusted`: ids of keys known by other
    means. Raises `Refused` for what is no export."""
    export, form = exports.read(text)
    report = judge(export, trusted)
    if text in exports.renderings(export, form):
        return report
    return replace(report, faults=[*report.faults, _differs(exports.render(export, form), text)])


def heads(text: str) -> dict[str, Head]:
    """Where streams ended when the export was made. Raises `Refused`."""
    return dict(exports.read(text)[0].heads)


def _differs(expected: str, text: str) -> Fault:
    lines = zip_longest(expected.split("\n"), text.split("\n"))
    line = next((number for number, (ours, theirs) in enumerate(lines, 1) if ours != theirs), 0)
    return Fault("(file)", line, "", f"line {line} is not as it was written")
