"""An environment file whose secrets are taken on when it is replaced: no database or network in its path."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from pydantic import ValidationError

from api.core.errors import FirstUserError
from api.settings.rings import Rings, read_rings

_log = structlog.get_logger("rings")
Turn = Callable[[Sequence[str]], None]


class RingFile:
    """`known` is what the process runs with; `turns` take a ring's new values on, by the secret's name.

    Without a file (a platform's own variables) the values stay those of the start."""

    def __init__(self, known: Rings, file: Path | None, turns: Mapping[str, Sequence[Turn]]) -> None:
        self.known = dict(known)
        self._file, self._turns = file, turns
        self._stamp: tuple[int, int] | None = None

    def look(self) -> bool:
        """Take on what has changed; True when anything has. A file that cannot be read changes nothing."""
        if self._file is None or not self._changed(self._file):
            return False
        try:
            found = read_rings(self._file)
            fresh = {name: ring for name, ring in found.items() if name in self._turns}
            fresh = {name: ring for name, ring in fresh.items() if self.known.get(name) != ring}
            for name, ring in fresh.items():
                for turn in self._turns[name]:
                    turn(ring)
                self.known[name] = ring
        except (OSError, ValidationError, FirstUserError) as error:
            _log.error("secrets not taken on", kind=type(error).__name__)
            self._stamp = None
            return False
        if fresh:
            _log.info("secrets taken on", names=sorted(fresh))
        return bool(fresh)

    def forget(self) -> None:
        """The next look reads the file, changed or not."""
        self._stamp = None

    def _changed(self, file: Path) -> bool:
        """The file was replaced, or never looked at."""
        try:
            seen = file.stat()
        except OSError:
            return False
        stamp = (seen.st_mtime_ns, seen.st_ino)
        changed, self._stamp = stamp != self._stamp, stamp
        return changed
