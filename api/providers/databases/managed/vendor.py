"""What an adapter has to say of its vendor. `ManagedDatabase` makes a provider of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from api.core.ports import BackupPolicy, ProviderFact


class State(StrEnum):
    CREATING = "creating"
    HALF = "half"  # it waits for us to go on with it: `Vendor.proceed`
    READY = "ready"
    FAILED = "failed"
    LEAVING = "leaving"  # being deleted: nobody's orphan any more


@dataclass(frozen=True, slots=True)
class Copy:
    """A temporary database. `word` is the vendor's own for its state; `ids` what else it is called by."""

    name: str
    target_at: datetime
    expires_at: datetime
    state: State
    word: str
    ids: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Window:
    """The moments that can be restored to, of the database that the vendor calls `source`."""

    source: str
    earliest: datetime
    latest: datetime


class Vendor(Protocol):
    """Every method may raise `ProviderError`."""

    name: str
    picks_moment: bool  # it restores to a moment of its own choice, which the copy itself tells

    def window(self, now: datetime) -> Window | None:
        """None where nothing can be restored."""
        ...

    def policy(self, now: datetime) -> BackupPolicy: ...

    def copies(self) -> Sequence[Copy]:
        """Every copy of ours, in whatever state. The same name twice is two of them."""
        ...

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        """Ask for it. Raises `TimedOut` when nobody knows whether it will come."""
        ...

    def proceed(self, copy: Copy) -> None:
        """The next step of a copy that is `HALF` made."""
        ...

    def address(self, copy: Copy, url: str) -> str:
        """`url`, which leads to production as some role, made to lead that role to the copy."""
        ...

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        """What the vendor itself says of the copy."""
        ...

    def delete(self, copy: Copy) -> None:
        """Idempotent. Raises `Unavailable` while it cannot be deleted yet."""
        ...
