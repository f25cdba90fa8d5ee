"""Secrets in an environment file of KEY='value' lines, mode 0600: what `FIRSTUSER_ENV_FILE` names.

A change reads the whole file, and replaces it in one step that survives a power cut; lines about other names
stay as they are. A lock beside it keeps two processes that write at once from losing each other's change.
"""

import fcntl
import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from api.core.errors import Unavailable

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")


class EnvFile:
    """`Variables` of the processes that read the file."""

    def __init__(self, path: Path, name: str = "local") -> None:
        self.name = name
        self._path = path

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        if not self._path.is_file():
            raise self._unusable("read", "is not there")
        found = dotenv_values(self._path, interpolate=False)
        return {name: value for name in names if (value := found.get(name))}

    def set(self, changes: Mapping[str, str | None]) -> None:
        try:
            with self._locked():
                kept = [line for line in self._path.read_text().splitlines() if _key(line) not in changes]
                fresh = [
                    f"{name}='{_escaped(value)}'" for name, value in changes.items() if value is not None
                ]
                _replace(self._path, "\n".join([*kept, *fresh]) + "\n")
        except OSError as error:
            raise self._unusable("write", f"cannot be written ({type(error).__name__})") from None

    @contextmanager
    def _locked(self) -> Generator[None]:
        lock = self._path.with_name(f".{self._path.name}.lock")
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _unusable(self, operation: str, what: str) -> Unavailable:
        return Unavailable(
            f"The environment file {self._path} {what}.",
            provider=self.name,
            operation=operation,
            fix="Name a file of KEY=VALUE lines that this process may read and replace.",
        )


def _key(line: str) -> str | None:
    found = _LINE.match(line)
    return found.group(1) if found else None


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _replace(path: Path, text: str) -> None:
    """Owner and mode of the old file stay, but never wider than 0600."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    before = path.stat()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
