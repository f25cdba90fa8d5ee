"""A disk that fills up while something is being written: said as such, and which one it is."""

import errno
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from api.core.errors import Refused, Rejected

FIX = "Free space there, or set FIRSTUSER_STATE_DIR to a larger disk."
_IN_WORDS = ("No space left on device", "Disk quota exceeded")
_SHORT_WRITE = re.compile(r"could not write .*: wrote (?:only )?\d+ of \d+")  # PostgreSQL's words
_NEXT_TO_NOTHING = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT}


def says_full(text: str) -> bool:
    """Whether a program's words are those of a full disk."""
    return any(words in text for words in _IN_WORDS) or _SHORT_WRITE.search(text) is not None


@contextmanager
def named_when_full(folder: Path, purpose: str) -> Generator[None]:
    """Raises `Refused` (`not_enough_disk`) when the block runs out of disk below `folder`, itself or through
    a program that it ran."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL and not says_full(str(error)):  # a tree's copy gathers words only
            raise
        raise _refused(folder, purpose) from error
    except Rejected as error:
        if not says_full(error.message) and shutil.disk_usage(folder).free > _NEXT_TO_NOTHING:
            raise  # a program whose log is on the full disk cannot even say so
        raise _refused(folder, purpose) from error


def _refused(folder: Path, purpose: str) -> Refused:
    return Refused(f"The disk of {folder} filled up during {purpose}.", fix=FIX, code="not_enough_disk")
