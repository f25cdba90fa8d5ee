"""What differs between kinds of secrets: `Kind`, which the machine drives. Adapters live in
`api.providers.secret_kinds`.

Methods that take a session are one transaction's worth and touch no network; those that take a
`RotationView` act outside of any transaction and may raise `ProviderError`. Each may be called again after a
kill at any line of it, and then ends where it would have ended.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from api.core.rotation.cadence import Held
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that was tried. Unless it is `required`, a rotation goes on without it."""

    name: str
    ok: bool
    expected: str
    observed: str
    required: bool = True

    @property
    def blocks(self) -> bool:
        return self.required and not self.ok

    def to_json(self, step: str, at: datetime) -> dict[str, Any]:
        return {**asdict(self), "step": step, "at": at.isoformat()}


@dataclass(frozen=True, slots=True)
class Current:
    """What is in use before any rotation: which version, and how it is called elsewhere."""

    version: int
    reference: str
    since: datetime | None
    made_by: str


class Kind(Protocol):
    """`held_by_partner`: its value is for a person to copy, not for a store."""

    @property
    def kind(self) -> str: ...

    @property
    def held_by_partner(self) -> bool: ...

    def secrets(self, session: Session, now: datetime) -> Sequence[Held]:
        """Every secret of this kind as it stands, with who used it of late."""
        ...

    def current(self, session: Session, name: str) -> Current:
        """Raises `NotFound` for a secret that is not there."""
        ...

    def mint(self, session: Session, row: RotationRow, now: datetime) -> str:
        """Make `row.to_version`; its reference. What a person is to see goes sealed into `row.handover`."""
        ...

    def store(self, rotation: RotationView) -> Sequence[Proof]:
        """Put the new version as pending into everything that carries it."""
        ...

    def reload(self, rotation: RotationView) -> Sequence[Proof]:
        """Return once every consumer has the new version as its first choice and still accepts the old."""
        ...

    def prove(self, rotation: RotationView) -> Sequence[Proof]:
        """See consumers work with the new version, and with what the old one made."""
        ...

    def tell(self, rotation: RotationView) -> Sequence[Proof]:
        """Say to whom it concerns that there is a new one, and until when the old one works."""
        ...

    def overlap(self, session: Session, row: RotationRow, until: datetime) -> None:
        """The old ones end at `until`, whatever becomes of the machine."""
        ...

    def retire(self, rotation: RotationView) -> Sequence[Proof]:
        """Take the old version out of every store and consumer."""
        ...

    def retired(self, session: Session, row: RotationRow, now: datetime) -> None:
        """What retiring means in the database."""
        ...

    def refuse(self, rotation: RotationView) -> Sequence[Proof]:
        """See the old version refused, and the new one still accepted."""
        ...

    def roll_back(self, rotation: RotationView) -> Sequence[Proof]:
        """Make the old version first choice everywhere and drop the new one."""
        ...

    def rolled_back(self, session: Session, row: RotationRow, now: datetime) -> None:
        """What rolling back means in the database."""
        ...


SWITCHED = "the partner has switched"


@runtime_checkable
class SwitchSeen(Protocol):
    """A kind whose partner can be seen to have the new version, at any time of the overlap."""

    def switched(self, rotation: RotationView) -> Proof:
        """The proof called `SWITCHED`."""
        ...
