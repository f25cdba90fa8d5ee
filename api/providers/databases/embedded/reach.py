"""Proof, before anything is created, that a target can be reached, and what is needed for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.core.backups.wal import Run, Segment, parse_lsn, segment_of
from api.core.backups.windows import Commit, Window, choose, windows
from api.core.errors import Refused
from api.core.ports import RestorePlan, RestoreTarget, StoredObject
from api.providers.databases.embedded.catalogue import Catalogue
from api.providers.databases.embedded.wal_files import WalFiles


@dataclass(frozen=True, slots=True)
class Located:
    """`last` is the commit before the target, if there is one since the backup; `stop` the first after it,
    where recovery halts at the latest."""

    target: RestoreTarget
    window: Window
    segments: tuple[Segment, ...]
    last: Commit | None
    stop: Commit
    bytes_to_fetch: int

    def plan(self) -> RestorePlan:
        return RestorePlan(self.target, self.window.point(), self.bytes_to_fetch, len(self.segments))


class Reach:
    def __init__(self, catalogue: Catalogue, wal: WalFiles) -> None:
        self._catalogue = catalogue
        self._wal = wal

    def windows(self) -> list[Window]:
        return windows(self._catalogue.records(), list(self._wal.stored()), self._wal.last_commit)

    def locate(self, target: RestoreTarget, now: datetime, point: str | None = None) -> Located:
        """`point` pins the backup. Raises `Refused` for a target that cannot be reached."""
        stored = self._wal.stored()
        found = windows(self._catalogue.records(), list(stored), self._wal.last_commit)
        if point is not None:
            found = [window for window in found if window.record.id == point]
        window = choose(found, target, now)
        segments, last, stop = self._needed(window, target, stored)
        size = sum(link.size_bytes for link in window.chain) + sum(stored[each].size for each in segments)
        return Located(target, window, segments, last, stop, size)

    def _needed(
        self, window: Window, target: RestoreTarget, stored: dict[Segment, StoredObject]
    ) -> tuple[tuple[Segment, ...], Commit | None, Commit]:
        """Every segment from the backup's start to the one with the first commit after the target."""
        run = window.run
        if run is None:
            raise Refused("The backup has no WAL.", fix="Take a full backup.", code="target_in_wal_gap")
        all_segments = list(run.segments(window.record.first_segment.number))
        position = self._start(all_segments, _guess(all_segments, window, target, stored), target)
        for index in range(position, len(all_segments)):
            last, stop = self._wal.commits_around(
                all_segments[index], lambda commit: _is_after(commit, target)
            )
            if stop is not None:
                needed = tuple(all_segments[: index + 1])
                return needed, _consistent(last or self._last_before(run, needed, stop), window), stop
        raise Refused(
            "No commit after the target is stored.",
            fix="Choose an earlier target, or wait until the next segment is archived.",
            code="target_not_archived",
        )

    def _start(self, segments: Sequence[Segment], guess: int, target: RestoreTarget) -> int:
        """Back from the guess to the first segment that may hold a commit after the target."""
        for position in range(guess, 0, -1):
            last = self._wal.last_in(segments[position - 1])
            if last is not None and not _is_after(last, target):
                return position
        return 0

    def _last_before(self, run: Run, needed: Sequence[Segment], stop: Commit) -> Commit | None:
        """The last commit in an earlier segment. It only counts when the WAL reads without an error from it
        to `stop`: behind a damaged record a later commit would be overlooked, and the copy would lack it."""
        earlier = Run(run.timeline, run.first, needed[-1].number - 1)
        last = self._wal.last_commit(earlier, run.first)
        between = [each for each in needed if last and each.end_lsn > last.lsn]
        return last if last and self._wal.reads_cleanly(between, last.lsn, stop.lsn) else None


def _guess(
    segments: Sequence[Segment], window: Window, target: RestoreTarget, stored: dict[Segment, StoredObject]
) -> int:
    """Where to look first. Only a guess: a store's clock may be off, and S3 keeps whole seconds."""
    if target.lsn is not None:
        number = segment_of(window.record.timeline, parse_lsn(target.lsn)).number
        return max(0, number - segments[0].number)
    early = (index for index, segment in enumerate(segments) if stored[segment].modified >= target.at)
    return max(0, next(early, len(segments)) - 1)


def _consistent(last: Commit | None, window: Window) -> Commit | None:
    """Recovery may not halt before the end of the backup."""
    return last if last and last.lsn >= window.record.stop_lsn else None


def _is_after(commit: Commit, target: RestoreTarget) -> bool:
    return commit.lsn >= parse_lsn(target.lsn) if target.lsn else commit.at > target.at
