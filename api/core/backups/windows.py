"""Which moments each backup can reach, and the choice of a backup for a target.

PostgreSQL does not refuse a target before the end of the base backup (it opens later than asked), and stops
with an error for one after the last commit that it finds. Both are decided here, before anything is created.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.core.backups.catalogue import BackupRecord
from api.core.backups.chains import by_id, chain_of
from api.core.backups.wal import Run, Segment, format_lsn, parse_lsn, runs
from api.core.errors import Refused
from api.core.ports import RestorePoint, RestoreTarget


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit in the WAL: its time, and where its record begins."""

    at: datetime
    lsn: int


LastCommit = Callable[[Run, int], Commit | None]
"""The newest commit in a run of segments, looking back no further than the given number."""


@dataclass(frozen=True, slots=True)
class Window:
    """`chain` ends with the backup. `run` is the WAL stored for it, `last` the newest commit in there."""

    chain: tuple[BackupRecord, ...]
    run: Run | None
    last: Commit | None

    @property
    def record(self) -> BackupRecord:
        return self.chain[-1]

    def reaches(self, target: RestoreTarget) -> bool:
        """Recovery stops at the first commit *after* a time, so one has to be stored."""
        if self.last is None:
            return False
        if target.lsn is not None:
            return self.record.stop_lsn <= parse_lsn(target.lsn) <= self.last.lsn
        return self.record.stopped_at < target.at < self.last.at

    def point(self) -> RestorePoint:
        record = self.record
        return RestorePoint(
            id=record.id,
            kind=record.kind,
            earliest=record.stopped_at,
            latest=self.last.at if self.last else None,
            size_bytes=sum(link.size_bytes for link in self.chain),
            chain=tuple(link.id for link in self.chain),
            verified_at=record.verified_at,
        )


def windows(
    records: Sequence[BackupRecord], stored: Sequence[Segment], last_commit: LastCommit
) -> list[Window]:
    """One per backup whose chain is whole, oldest first."""
    known = by_id(records)
    contiguous = runs(stored)
    found: list[Window] = []
    for record in sorted(records, key=lambda each: (each.stopped_at, each.stop_lsn)):
        chain = chain_of(known, record.id)
        if chain is not None:
            run = next((each for each in contiguous if _covers(each, record)), None)
            last = last_commit(run, record.stop_segment.number) if run else None
            found.append(Window(chain, run, last if last and last.lsn >= record.stop_lsn else None))
    return found


def choose(found: Sequence[Window], target: RestoreTarget, now: datetime) -> Window:
    """The newest backup that reaches the target: least to replay. Raises `Refused` with the reason."""
    if target.at > now:
        raise Refused(
            f"The target {_time(target.at)} lies in the future (now {_time(now)}).",
            fix="Ask for a moment that has passed, or for `latest`.",
            code="target_in_future",
        )
    if not found:
        raise Refused(
            "There is no base backup to restore from.",
            fix="Take one: `firstuser backups take`.",
            code="no_backup",
        )
    reaching = [window for window in found if window.reaches(target)]
    if reaching:
        return max(reaching, key=lambda window: window.record.stop_lsn)
    raise _unreachable(found, target)


def _covers(run: Run, record: BackupRecord) -> bool:
    return run.holds(record.first_segment) and run.holds(record.stop_segment)


def _unreachable(found: Sequence[Window], target: RestoreTarget) -> Refused:
    what = f"WAL position {target.lsn}" if target.lsn else _time(target.at)
    first = found[0].record
    if _not_after(first, target):
        return Refused(
            f"{what} is before the first restore point, {_time(first.stopped_at)}"
            f" (backup {first.id}, {format_lsn(first.stop_lsn)}).",
            fix=f"Choose a target after {_time(first.stopped_at)}.",
            code="target_before_first_restore_point",
        )
    newest = max((window.last for window in found if window.last), key=lambda last: last.lsn, default=None)
    if newest is not None and _before(target, newest):
        return _in_gap(found, target, what)
    until = f"the newest commit in the stored WAL is of {_time(newest.at)}" if newest else "no WAL is stored"
    return Refused(
        f"{what} cannot be reached yet: {until}.",
        fix="Choose an earlier target, or wait until the segment is archived (a minute at most), "
        "and check that archiving works if it is not.",
        code="target_not_archived",
    )


def _in_gap(found: Sequence[Window], target: RestoreTarget, what: str) -> Refused:
    before = [window for window in found if not _not_after(window.record, target)]
    ends = [window.last.at for window in before if window.last]
    after = [window.record.stopped_at for window in found if _not_after(window.record, target)]
    until = f"before {_time(max(ends))}" if ends else ""
    since = f"after {_time(min(after))}" if after else ""
    return Refused(
        f"{what} lies inside a gap of the stored WAL: segments before the target are missing.",
        fix=f"Choose a target {' or '.join(part for part in (until, since) if part) or 'outside the gap'};"
        " take a full backup now so that the future is covered.",
        code="target_in_wal_gap",
    )


def _not_after(record: BackupRecord, target: RestoreTarget) -> bool:
    """Is the target no later than the end of the backup?"""
    if target.lsn is not None:
        return parse_lsn(target.lsn) < record.stop_lsn
    return target.at <= record.stopped_at


def _before(target: RestoreTarget, commit: Commit) -> bool:
    return parse_lsn(target.lsn) <= commit.lsn if target.lsn else target.at < commit.at


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")
