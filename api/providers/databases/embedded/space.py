"""Is there room on the disk? Asked before anything is written."""

import shutil
from pathlib import Path

from api.core.errors import Refused
from api.providers.full_disk import FIX

HEADROOM = 256 * 1024 * 1024


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Raises `Refused` unless `needed` bytes and a reserve fit below `folder`."""
    free = free_bytes(folder)
    if free < needed + HEADROOM:
        raise Refused(
            f"Not enough disk for {purpose}: {_mb(needed + HEADROOM)} needed at {folder}, {_mb(free)} free.",
            fix=FIX,
            code="not_enough_disk",
        )


def folder_bytes(folder: Path) -> int:
    """The size of all files below; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _mb(size: int) -> str:
    return f"{size / 1024**2:,.0f} MB"
