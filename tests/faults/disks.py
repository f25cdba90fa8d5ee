"""A small disk of its own: a tmpfs that fills up for real."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.providers.databases.embedded.account import OsAccount


@contextmanager
def small_disk(folder: Path, megabytes: int, account: OsAccount) -> Generator[Path]:
    """A file system of that size at `folder`, over whatever is there, until the end of the block."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    options = f"size={megabytes}m,mode=0700,uid={account.uid},gid={account.gid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (free - leave))
    return filler
