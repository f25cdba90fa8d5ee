"""Where secrets rest, and the stages that one passes through: `SecretStore`, which every store implements.

    pending    handed in and accepted by consumers, nobody's first choice yet
    current    what consumers sign, encrypt or log in with
    previous   still accepted, until it is retired

As AWS Secrets Manager has them. A version is a number of the secret's own; a secret that somebody put there
by hand counts as version 1, and what lies before it as 0. Stores of plain variables keep the stages apart by
name, which is also how the settings read a ring:

    NAME  NAME_PREVIOUS  NAME_PENDING     the values
    NAME_VERSIONS                         `current=4@2026-11-24T08:00:00+00:00 previous=3@…`, no secret

Every call may be made again after a kill at any line of it, and then ends where it would have ended. There is
one writer at a time: what keeps two rotations of one secret apart is theirs, stores have no lock for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    PENDING = "pending"
    CURRENT = "current"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """`since` is when the version came to this stage, or when it was put where the store (AWS) knows no more;
    None for one that was put by hand."""

    version: int
    stage: Stage
    since: datetime | None


class SecretStore(Protocol):
    """Every method may raise `ProviderError`; no error holds a value."""

    name: str

    def describe(self, name: str) -> Sequence[StoredVersion]:
        """At most one version per stage; none for a secret that is not there. Never a value."""
        ...

    def read(self, name: str, stage: Stage) -> str:
        """Raises `NotFound` when no version is at the stage."""
        ...

    def put_pending(self, name: str, version: int, value: str) -> None:
        """The first version of a secret is pending too, and promoted like any other; where a store has no
        secret without a current version it is current at once.

        A no-op when `version` holds `value` already, at whatever stage. Raises `Conflict` when it holds
        another value, when another version is pending, and when the value is that of another version;
        `Refused` for a value that no variable can hold: empty, or of several lines."""
        ...

    def promote(self, name: str, version: int) -> None:
        """Make the pending version current, and the current one previous: what was previous is gone.

        The previous version can be promoted as well: that is the way back, and swaps the two.
        A no-op when `version` is current. Raises `NotFound`."""
        ...

    def retire(self, name: str, version: int) -> None:
        """Drop a previous version, or a pending one. A no-op when it is not there.

        Raises `Conflict` for the current one: the last working credential is never destroyed."""
        ...


def at(versions: Sequence[StoredVersion], stage: Stage) -> StoredVersion | None:
    return next((one for one in versions if one.stage is stage), None)


def stage_of(versions: Sequence[StoredVersion], version: int) -> Stage | None:
    """The most used stage of `version`, None when the store does not hold it."""
    for stage in (Stage.CURRENT, Stage.PREVIOUS, Stage.PENDING):
        found = at(versions, stage)
        if found is not None and found.version == version:
            return stage
    return None
