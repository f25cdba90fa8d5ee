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

    def __init__(
        self, known: Rings, file: Path | None, turns: Mapping[str, Sequence[Turn]], *, logged: bool = True
    ) -> None:
        self.known, self._logged = dict(known), logged
        self._file, self._turns = file, turns
        self._stamp: tuple[int, int] | None = None

    def look(self) -> bool:
        """Take on what has changed; True when anything has. What cannot be read changes nothing."""
        if self._file is None or not self._changed(self._file):
            return False
        try:
            found = read_rings(self._file)
        except (OSError, ValidationError) as error:
            self._trouble("all", error)
            return False
        fresh = {name: ring for name, ring in found.items() if name in self._turns}
        fresh = {name: ring for name, ring in fresh.items() if self.known.get(name) != ring}
        taken = [name for name, ring in fresh.items() if self._take(name, ring)]
        if taken and self._logged:
            _log.info("secrets taken on", names=sorted(taken))
        return bool(taken)

    def _take(self, name: str, ring: Sequence[str]) -> bool:
        try:
            for turn in self._turns[name]:
                turn(ring)
        except FirstUserError as error:
            self._trouble(name, error)
            return False
        self.known[name] = list(ring)
        return True

    def _trouble(self, name: str, error: Exception) -> None:
        """The next look tries again, changed or not."""
        if self._logged:
            _log.error("secrets not taken on", name=name, kind=type(error).__name__)
        self._stamp = None

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
