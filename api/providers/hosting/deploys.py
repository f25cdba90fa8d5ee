"""A service as its platform knows it: what all platforms have in common, for `platform` to steer."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from api.core.errors import Refused
from api.core.ports import Permission

IRREVERSIBLE = "migration: irreversible"
"""In a commit's message or a label: nothing older may serve after it."""

_COMMIT = re.compile(r"[0-9a-f]{7,40}")


class Standing(StrEnum):
    WAITING = "waiting"  # queued, built, rolled out
    LIVE = "live"
    FAILED = "failed"
    GONE = "gone"  # it served, and another has taken its place
    DROPPED = "dropped"  # cancelled or skipped: it never served


@dataclass(frozen=True, slots=True)
class PlatformDeploy:
    """`said`: the platform's own word for its state. `went_back`: it deploys again what served before."""

    id: str
    standing: Standing
    said: str
    release: str
    at: datetime
    went_back: bool = False
    irreversible: bool = False


class PlatformService(Protocol):
    """One service. Every method may raise `ProviderError`; no error holds a value of a variable."""

    @property
    def name(self) -> str:
        """The platform's."""
        ...

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those of the variables that the next deploy would have."""
        ...

    def variable_names(self) -> Collection[str]: ...

    def deploys(self) -> Sequence[PlatformDeploy]:
        """Newest first, as far back as one could go back."""
        ...

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        """Change variables (None: delete) in this order, and deploy what serves once more with them. Returns
        the deploy's id. Not to be called again before looking at `deploys`."""
        ...

    def release(self, name: str, changes: Mapping[str, str | None], *, irreversible: bool = False) -> str:
        """Change variables in this order, and deploy this release with them. Returns the deploy's id. Raises
        `Refused` for what the platform cannot deploy by a name, or not mark as irreversible."""
        ...

    def roll_back(self, to: PlatformDeploy) -> str:
        """Deploy `to` again; returns the new deploy's id."""
        ...

    def go_on(self) -> None:
        """Finish a deploy that was killed half-way, where the platform does not do so by itself."""
        ...

    def check_access(self) -> Sequence[Permission]: ...


def retagged(image: str, name: str) -> str:
    """That release of the same repository: `registry/app:1.4` → `registry/app:1.5`."""
    before, slash, last = image.partition("@")[0].rpartition("/")
    return f"{before}{slash}{last.partition(':')[0]}:{name}"


def by_commit(platform: str, name: str, *, irreversible: bool) -> str:
    """The name, if it is a commit's. Raises `Refused`."""
    if not _COMMIT.fullmatch(name):
        raise Refused(
            f"{platform} builds this service from a repository: {name!r} is no commit of it.",
            fix="Name a commit by its SHA; `firstuser release list` shows those that were deployed.",
            code="no_commit",
        )
    if irreversible:
        raise Refused(
            f"{platform} knows of a release only what its commit says.",
            fix="Write the line `Migration: irreversible` into its message, and leave the option out.",
            code="told_by_its_commit",
        )
    return name


def tag(image: str) -> str:
    """The release that an image is: its tag, or the digest. `registry/app:1.4` is 1.4."""
    name, at, digest = image.partition("@")
    last = name.rpartition("/")[2]
    return last.partition(":")[2] or (digest if at else last)
