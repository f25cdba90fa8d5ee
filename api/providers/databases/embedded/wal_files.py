"""The WAL segments in the store, and what `pg_waldump` says is in them."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from api.core.backups.wal import Run, Segment, format_lsn, parse_lsn, parse_segment
from api.core.backups.windows import Commit
from api.core.ports import ObjectStore, StoredObject
from api.providers.databases.embedded.account import ourselves
from api.providers.databases.embedded.binaries import Binaries
from api.providers.databases.embedded.processes import attempt, environment

PREFIX = "wal/"
_END = re.compile(
    rb"lsn: ([0-9A-F]+/[0-9A-F]+), .*desc: (?:COMMIT|ABORT)(?:_PREPARED)?"
    rb"(?: \d+:)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC"
)


class WalFiles:
    """Stored segments never change, so what was read from one is remembered."""

    def __init__(self, store: ObjectStore, binaries: Binaries, scratch: Path) -> None:
        self._store = store
        self._binaries = binaries
        self._scratch = scratch
        self._last: dict[Segment, Commit | None] = {}

    def stored(self) -> dict[Segment, StoredObject]:
        found = ((parse_segment(each.key.removeprefix(PREFIX)), each) for each in self._store.list(PREFIX))
        return {segment: each for segment, each in found if segment is not None}

    def last_commit(self, run: Run, since: int) -> Commit | None:
        """The newest commit of the run, looking back to segment number `since`."""
        for segment in reversed(list(run.segments(since))):
            commit = self.last_in(segment)
            if commit is not None:
                return commit
        return None

    def last_in(self, segment: Segment) -> Commit | None:
        """The newest commit in one segment."""
        if segment not in self._last:
            self._last[segment] = self._read_last(segment)
        return self._last[segment]

    def commits_around(
        self, segment: Segment, is_after: Callable[[Commit], bool]
    ) -> tuple[Commit | None, Commit | None]:
        """Within the segment: the last commit before the first that `is_after`, and that one."""
        before = None
        with self.local(segment) as path:
            for commit in self._commits(path):
                if is_after(commit):
                    return before, commit
                before = commit
        return before, None

    def reads_cleanly(self, segments: Sequence[Segment], start_lsn: int, end_lsn: int) -> bool:
        """Can every record from `start_lsn` to `end_lsn`, all within `segments`, be read?"""
        with ExitStack() as held, tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            for segment in segments:
                (Path(folder) / segment.name).symlink_to(held.enter_context(self.local(segment)))
            argv = [self._binaries.program("pg_waldump"), "--quiet", f"--path={folder}"]
            argv += [f"--start={format_lsn(start_lsn)}", f"--end={format_lsn(end_lsn)}"]
            argv.append(f"--timeline={segments[0].timeline}")
            return attempt(argv, ourselves()).returncode == 0

    @contextmanager
    def local(self, segment: Segment) -> Generator[Path]:
        """The segment as a file on this machine, for the length of the block."""
        key = PREFIX + segment.name
        here = self._store.local_path(key)
        if here is not None:
            yield here
            return
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / segment.name
            self._store.get_file(key, path)
            yield path

    def _read_last(self, segment: Segment) -> Commit | None:
        with self.local(segment) as path:
            last = None
            for line in self._lines(path):
                last = line if b"COMMIT" in line or b"ABORT" in line else last
            return _commit(last) if last else None

    def _commits(self, path: Path) -> Iterator[Commit]:
        return (commit for line in self._lines(path) if (commit := _commit(line)))

    def _lines(self, path: Path) -> Iterator[bytes]:
        """A segment ends in the middle of a record more often than not: the exit code says nothing."""
        argv = [self._binaries.program("pg_waldump"), "--rmgr=Transaction", str(path)]
        with subprocess.Popen(
            argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 20
        ) as dump:
            try:
                yield from dump.stdout or ()
            finally:
                dump.kill()


def _commit(line: bytes) -> Commit | None:
    match = _END.search(line)
    if match is None:
        return None
    moment = datetime.strptime(match[2].decode(), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return Commit(moment, parse_lsn(match[1].decode()))
