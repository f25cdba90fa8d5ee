"""The OS user that PostgreSQL runs as. It refuses to run as root, so root picks another user for it."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.core.errors import Refused

_PREFERRED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class OsAccount:
    """`switch` is true when processes have to be started as this user instead of as ourselves."""

    name: str
    uid: int
    gid: int
    switch: bool

    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for Popen that start a process as this account, and as nothing else."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> Path:
        """Give the file or folder to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        return path

    def own_new(self, folder: Path) -> Path:
        """Create a private folder of the account's."""
        folder.mkdir(mode=0o700, exist_ok=True)
        return self.own(folder)

    def can_traverse(self, folder: Path) -> bool:
        """May the account pass through `folder` and every folder above it?"""
        real = folder.resolve()
        return not self.switch or all(self._may(step, 0o1) for step in (real, *real.parents))

    def can_enter(self, folder: Path) -> bool:
        """May it also list `folder`?"""
        return self.can_traverse(folder) and (not self.switch or self._may(folder.resolve(), 0o4))

    def _may(self, folder: Path, wanted: int) -> bool:
        status = folder.stat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == self.uid:
            granted = mode >> 6
        elif status.st_gid == self.gid:
            granted = mode >> 3
        else:
            granted = mode
        return granted & wanted == wanted


def ourselves() -> OsAccount:
    """For programs that only read: nothing is switched."""
    uid = os.geteuid()
    return OsAccount(str(uid), uid, os.getegid(), switch=False)


def choose_account(setting: str = "") -> OsAccount:
    """Ourselves, unless we are root: then `setting`, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return ourselves()
    for name in (setting,) if setting else _PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return OsAccount(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)
    raise Refused(
        f"PostgreSQL cannot run as root; no usable OS user {setting or ' or '.join(_PREFERRED)}.",
        fix="Set FIRSTUSER_POSTGRES_OS_USER to an existing unprivileged user, or start as a normal user.",
    )
