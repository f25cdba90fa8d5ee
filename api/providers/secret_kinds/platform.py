"""Secrets of the platform, by their variables: accepted as [current, previous, pending] by every process.

The new version is pending first, and accepted everywhere before anybody signs with it; so no process meets a
signature that it does not know, however many there are.
"""

import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.crypto import Vault, fingerprint, several
from api.core.errors import Conflict, NotFound
from api.core.rotation import ending, service
from api.core.rotation.archive import Backups, kept_until
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import Current, Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.readers import Reader
from api.core.rotation.records import RotationView
from api.core.rotation.stores import SecretStore, Stage, at
from api.providers.secret_kinds import carried
from api.providers.secret_kinds.live_checks import LiveCheck
from api.providers.secret_kinds.processes import Processes


def random_text() -> str:
    return secrets.token_urlsafe(48)


def random_key() -> str:
    return b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Freed:
    """`moved`: rows that were not sealed with the current one until now."""

    moved: int
    proof: Proof


@dataclass(frozen=True, slots=True)
class Archive:
    """`free` brings everything live to the current version; it may be called again. May raise
    `ProviderError`."""

    free: Callable[[], Freed]
    backups: Callable[[], Backups]


@dataclass(frozen=True, slots=True)
class PlatformSecret:
    """`stores`: everything that carries it. `archive`: of one that seals what lasts."""

    kind: str
    name: str
    label: str
    stores: Sequence[SecretStore]
    processes: Processes
    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    check: LiveCheck
    clock: Clock
    generate: Callable[[], str] = random_text
    archive: Archive | None = None

    held_by_partner = False

    def secrets(self, session: Session, now: datetime) -> Sequence[Held]:
        return carried.held(session, self.name, self.kind, self.label, now)

    def current(self, session: Session, name: str) -> Current:
        return carried.current(session, name)

    def mint(self, session: Session, row: RotationRow, now: datetime) -> str:
        row.detail = {**row.detail, "stores": [store.name for store in self.stores]}
        row.detail = {**row.detail, "previous": self.current(session, row.name).reference}
        return f"version {row.to_version}"

    def store(self, rotation: RotationView) -> Sequence[Proof]:
        value = self._minted(rotation)
        for store in self.stores:
            if self.archive:
                carried.fold(store, self.name, rotation.to_version)
            carried.put(store, self.name, rotation.to_version, value)
        where = ", ".join(store.name for store in self.stores)
        return [Proof("written", True, "pending in every store", where)]

    def reload(self, rotation: RotationView) -> Sequence[Proof]:
        new = fingerprint(self._minted(rotation))
        self._until(rotation, "store", "accept the new one", lambda one: one.accepts(self.name, new))
        for store in self.stores:
            store.promote(self.name, rotation.to_version)
        seen = self._until(rotation, "reload", "prefer the new one", lambda one: one.prefers(self.name, new))
        with self.transaction() as session:
            service.refer(session, self.name, rotation.to_version, new)
        said = self.processes.running(seen)
        return [Proof("every process runs it", True, f"version {rotation.to_version} first", said)]

    def prove(self, rotation: RotationView) -> Sequence[Proof]:
        """What the new one makes is accepted, and what the old one has made."""
        proofs = [self._accepted("made with the new one", self._read(Stage.CURRENT))]
        old = self._read_or_none(Stage.PREVIOUS)
        return [*proofs, self._accepted("made with the old one", old)] if old else proofs

    def tell(self, rotation: RotationView) -> Sequence[Proof]:
        return []

    def overlap(self, session: Session, row: RotationRow, until: datetime) -> None:
        """Stores and processes hold both; nothing of it is in the database."""

    def retire(self, rotation: RotationView) -> Sequence[Proof]:
        freed = self.archive.free() if self.archive else None
        proofs = [*([freed.proof] if freed else []), *self._witnessed(rotation)]
        if any(one.blocks for one in proofs):
            return proofs
        if self.archive and freed and (kept := self._kept(rotation, self.archive, freed)):
            return [*proofs, kept]
        dropped = several(self._read_or_none(Stage.PREVIOUS))
        old = {str(rotation.detail["previous"]), *map(fingerprint, dropped)}
        for store in self.stores:
            carried.check_current(store, self.name, rotation.to_version)
            carried.drop_previous(store, self.name)
        self._until(rotation, "retire", "forget the old one", lambda one: not one.accepts_any(self.name, old))
        return [*proofs, Proof("no process accepts the old one", True, "gone everywhere", "gone everywhere")]

    def retired(self, session: Session, row: RotationRow, now: datetime) -> None:
        """Nothing of it is in the database."""

    def refuse(self, rotation: RotationView) -> Sequence[Proof]:
        proofs = [self._accepted("made with the new one", self._read(Stage.CURRENT))]
        with self.transaction() as session:
            found = service.get(session, rotation.id)
        if found.witness is not None:
            answer = self.check.ask(self.vault.open(found.witness, rotation.id))
            proofs.append(Proof("the old one is refused", not answer.accepted, "refused", answer.said))
            if not answer.accepted:
                self.check.clean(self.vault.open(found.witness, rotation.id))
        return proofs

    def roll_back(self, rotation: RotationView) -> Sequence[Proof]:
        for store in self.stores:
            held = store.describe(self.name)
            current, previous = at(held, Stage.CURRENT), at(held, Stage.PREVIOUS)
            if current and current.version == rotation.to_version and previous:
                store.promote(self.name, previous.version)
        old = str(rotation.detail["previous"])
        self._until(rotation, "roll_back", "prefer the old one", lambda one: one.prefers(self.name, old))
        if self.archive and (blocking := self.archive.free().proof).blocks:
            raise Conflict(f"{blocking.name}: {blocking.observed}.", fix="Run it again.")
        for store in self.stores:
            if self.archive is None or at(store.describe(self.name), Stage.PENDING):
                store.retire(self.name, rotation.to_version)
        return [Proof("every process runs the old one", True, "first everywhere", "first everywhere")]

    def rolled_back(self, session: Session, row: RotationRow, now: datetime) -> None:
        """Nothing of it is in the database."""

    def _kept(self, rotation: RotationView, archive: Archive, freed: Freed) -> Proof | None:
        """None when no backup needs the old one."""
        now, known = self.clock(), rotation.detail.get("freed_at")
        freed_at = datetime.fromisoformat(known) if known and not freed.moved else now
        until = kept_until(archive.backups(), freed_at, now)
        if until is None:
            return None
        with self.transaction() as session:
            ending.keep_old(session, rotation.id, freed_at, until)
        said = f"there is one of before {freed_at:%Y-%m-%d %H:%M} UTC: kept until {until:%Y-%m-%d %H:%M} UTC"
        return Proof("no backup needs the old one", False, "none to restore from", said, required=False)

    def _minted(self, rotation: RotationView) -> str:
        """The new value: that of whichever store has it already, or a fresh one."""
        known = (carried.value(store, self.name, rotation.to_version) for store in self.stores)
        return next(filter(None, known), None) or self.generate()

    def _read(self, stage: Stage) -> str:
        return self.stores[0].read(self.name, stage)

    def _read_or_none(self, stage: Stage) -> str | None:
        try:
            return self._read(stage)
        except NotFound:
            return None

    def _accepted(self, what: str, value: str) -> Proof:
        made = self.check.make(value)
        if made is None:
            return Proof(what, True, self.check.expected, "nothing to try it with here", required=False)
        answer = self.check.ask(made)
        self.check.clean(made)
        return Proof(what, answer.accepted, self.check.expected, answer.said)

    def _witnessed(self, rotation: RotationView) -> Sequence[Proof]:
        """Something that the old one makes is accepted still; it is kept, to be refused later."""
        old = self._read_or_none(Stage.PREVIOUS)
        made = self.check.make(old) if old else None
        if made is None:
            return []
        self._keep(rotation, made)
        answer = self.check.ask(made)
        return [Proof("the old one, just before its end", answer.accepted, "accepted", answer.said)]

    def _keep(self, rotation: RotationView, witness: str) -> None:
        with self.transaction() as session:
            service.keep_witness(session, rotation.id, self.vault.seal(witness, rotation.id))

    def _until(
        self, rotation: RotationView, change: str, what: str, holds: Callable[[Reader], bool]
    ) -> Sequence[Reader]:
        return self.processes.until(self.name, f"{rotation.id}:{change}", what, holds)
