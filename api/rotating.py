"""The composition root of rotations: web door, flow and command line all call `Rotations.rotate`."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.crypto import Vault
from api.core.errors import Conflict, FirstUserError
from api.core.ports import Messenger
from api.core.rotation import due, service
from api.core.rotation.cadence import Dated
from api.core.rotation.kinds import Kind
from api.core.rotation.machine import Machine
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.webhooks.attempts import Sender
from api.db.locks import advisory_lock
from api.providers.secret_kinds.api_keys import ApiKeys
from api.providers.secret_kinds.calls import ProductCalls
from api.providers.secret_kinds.partners import Partners
from api.providers.secret_kinds.webhook_secrets import WebhookSecrets
from api.settings import Settings

LOCK_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Rotated:
    """`plaintext` once, for whoever asked and is to see it."""

    rotation: RotationView
    plaintext: str | None

    def __repr__(self) -> str:
        return f"Rotated({self.rotation!r})"


@dataclass(frozen=True, slots=True)
class Rotations:
    machine: Machine
    vault: Vault

    def rotate(
        self,
        name: str,
        *,
        mode: Mode,
        by: str,
        shown: bool,
        reason: str = "",
        grace: timedelta | None = None,
        forced: bool = False,
        flow_run_id: str | None = None,
    ) -> Rotated:
        """Begin and go as far as it goes. A step that fails is the rotation's `problem`, and its old version
        goes on working. `shown`: whoever asked sees the new value now, if it is for people.

        Raises `NotFound`, `Refused`, `Conflict` before anything is begun."""
        machine = self.machine
        machine.finish(name)
        if shown and (waiting := self.waiting(name)):
            return self.pick_up(waiting.id, by)
        with machine.transaction() as session:
            found = machine.begin(
                session,
                name,
                mode=mode,
                by=by,
                reason=reason,
                grace=grace,
                forced=forced,
                flow_run_id=flow_run_id,
            )
        found = self._run(found.id)
        return self.pick_up(found.id, by) if shown and found.handover else Rotated(found, None)

    def pick_up(self, rotation_id: str, by: str) -> Rotated:
        """Show the value that waits, once; its overlap begins.

        Raises `NotFound`, `Conflict` (`rotation_not_proven`; or it was shown already)."""
        with self.machine.transaction() as session:
            found = service.hand_over(session, rotation_id, by, self.machine.clock())
            plaintext = self.vault.open(found.handover, found.id) if found.handover else None
        return Rotated(self._run(rotation_id), plaintext)

    def end_overlap(self, rotation_id: str, by: str) -> RotationView:
        """Raises `Conflict`."""
        machine = self.machine
        with machine.transaction() as session:
            found = service.get(session, rotation_id)
            service.end_overlap(session, machine.kinds[found.kind], rotation_id, by, machine.clock())
        return self._run(rotation_id)

    def ended_by_hand(self, name: str, reference: str, by: str) -> RotationView | None:
        """Somebody has ended an old one that a rotation still had in its overlap: that one goes on."""
        found = self.running(name)
        if found is None or reference not in found.detail.values():
            return found
        try:
            return self.end_overlap(found.id, by)
        except Conflict:
            return found  # it has not come so far

    def standing(self) -> Sequence[Dated]:
        """Every secret, what is due first before the rest."""
        machine = self.machine
        with machine.transaction() as session:
            return due.standing(session, machine.kinds, machine.clock())

    def waiting(self, name: str) -> RotationView | None:
        """The rotation whose new value waits for its owner to look at it."""
        with self.machine.transaction() as session:
            return service.to_pick_up(session, name)

    def running(self, name: str) -> RotationView | None:
        with self.machine.transaction() as session:
            return next(iter(service.running(session, name)), None)

    def _run(self, rotation_id: str) -> RotationView:
        try:
            return self.machine.run(rotation_id)
        except FirstUserError:
            return self.machine.get(rotation_id)


def rotations(
    settings: Settings,
    engine: Engine,
    transaction: Callable[[], AbstractContextManager[Session]],
    vault: Vault,
    messenger: Messenger,
    sender: Callable[[], Sender],
    clock: Clock,
    product: httpx.BaseTransport | None = None,
) -> Rotations:
    """`product` carries the calls that prove something, in tests; otherwise they go to PUBLIC_APP_URL."""
    base_url = settings.platform.public_app_url.rstrip("/")
    calls = ProductCalls(base_url, product)
    partners = Partners(transaction, vault, messenger, base_url)
    kinds: list[Kind] = [
        ApiKeys(transaction, vault, calls, partners),
        WebhookSecrets(transaction, vault, sender, partners, clock),
    ]

    @contextmanager
    def exclusive(name: str) -> Generator[bool]:
        with advisory_lock(engine, lock_key(name), LOCK_WAIT_S) as held:
            yield held

    return Rotations(Machine(transaction, exclusive, {one.kind: one for one in kinds}, clock), vault)


def lock_key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(b"rotation:" + name.encode()).digest()[:8], signed=True)
