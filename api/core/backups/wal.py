"""WAL positions and segments. An LSN is an int here and `16/B374D848` outside.

A segment file is named by timeline and position: `000000010000000000000003` is number 3 of timeline 1.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.core.errors import Refused

SEGMENT_BYTES = 16 * 1024 * 1024
_PER_LOG = 0x1_0000_0000 // SEGMENT_BYTES
_NAME = re.compile(r"[0-9A-F]{24}")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    timeline: int
    number: int

    @property
    def name(self) -> str:
        return f"{self.timeline:08X}{self.number // _PER_LOG:08X}{self.number % _PER_LOG:08X}"

    @property
    def start_lsn(self) -> int:
        return self.number * SEGMENT_BYTES

    @property
    def end_lsn(self) -> int:
        """The first position after it."""
        return self.start_lsn + SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class Run:
    """Segments `first` to `last` of one timeline, none missing."""

    timeline: int
    first: int
    last: int

    def holds(self, segment: Segment) -> bool:
        return segment.timeline == self.timeline and self.first <= segment.number <= self.last

    def segments(self, since: int) -> Iterator[Segment]:
        return (Segment(self.timeline, number) for number in range(max(since, self.first), self.last + 1))


@dataclass(frozen=True, slots=True)
class Gap:
    """Segments `first` to `last` are missing although later ones of their timeline are stored."""

    first: Segment
    last: Segment

    def __str__(self) -> str:
        return f"{self.missing} segments missing, {self.first.name} to {self.last.name}"

    @property
    def missing(self) -> int:
        return self.last.number - self.first.number + 1


def parse_lsn(text: str) -> int:
    match = _LSN.fullmatch(text.strip())
    if match is None:
        raise Refused(f"{text!r} is no WAL position.", fix="Write it as PostgreSQL does, e.g. 0/3000060.")
    return (int(match[1], 16) << 32) | int(match[2], 16)


def format_lsn(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def parse_segment(name: str) -> Segment | None:
    """None for everything else that lives in an archive (history files, backup labels, `.partial`)."""
    if _NAME.fullmatch(name) is None:
        return None
    return Segment(int(name[:8], 16), int(name[8:16], 16) * _PER_LOG + int(name[16:], 16))


def segment_of(timeline: int, lsn: int) -> Segment:
    """The segment that holds the byte at `lsn`."""
    return Segment(timeline, lsn // SEGMENT_BYTES)


def segment_before(timeline: int, lsn: int) -> Segment:
    """The segment that holds the last byte before `lsn`: where WAL that ends at `lsn` ends."""
    return segment_of(timeline, max(lsn - 1, 0))


def runs(segments: Iterable[Segment]) -> list[Run]:
    """The contiguous runs, by timeline and position."""
    found: list[Run] = []
    for segment in sorted(set(segments)):
        if found and found[-1].timeline == segment.timeline and found[-1].last + 1 == segment.number:
            found[-1] = Run(segment.timeline, found[-1].first, segment.number)
        else:
            found.append(Run(segment.timeline, segment.number, segment.number))
    return found


def gaps(segments: Iterable[Segment], since: Segment) -> list[Gap]:
    """What is missing on the timeline of `since`, from it to the newest stored segment."""
    stored = [run for run in runs(segments) if run.timeline == since.timeline and run.last >= since.number]
    found: list[Gap] = []
    expected = since.number
    for run in stored:
        if run.first > expected:
            found.append(Gap(Segment(run.timeline, expected), Segment(run.timeline, run.first - 1)))
        expected = run.last + 1
    return found
