"""The composition root of rotations: web door, flow and command line all call `Rotations.rotate`."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.crypto import Vault, data_keys
from api.core.errors import Conflict, FirstUserError
from api.core.founders import service as founders
from api.core.ports import Messenger
from api.core.rotation import due, ending, reencryption, service
from api.core.rotation.archive import Backups
from api.core.rotation.cadence import PLATFORM_KINDS, Dated
from api.core.rotation.consumers import Consumers, SelfReading
from api.core.rotation.kinds import SWITCHED, Kind, Proof, SwitchSeen
from api.core.rotation.machine import Machine
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode, Step
from api.core.rotation.stores import SecretStore, Stage
from api.core.webhooks.attempts import Sender
from api.db.locks import advisory_lock
from api.providers.hosting import platform_hosting
from api.providers.hosting.consumers import Redeployed
from api.providers.hosting.services import SERVICES
from api.providers.secret_kinds.api_keys import ApiKeys
from api.providers.secret_kinds.calls import ProductCalls
from api.providers.secret_kinds.database_login import DatabaseLogin
from api.providers.secret_kinds.live_checks import LiveCheck, NoCheck, SessionCheck, WidgetCheck
from api.providers.secret_kinds.partners import Partners
from api.providers.secret_kinds.platform import Archive, Freed, PlatformSecret, random_key, random_text
from api.providers.secret_kinds.processes import Processes
from api.providers.secret_kinds.webhook_secrets import WebhookSecrets
from api.providers.secret_stores import secret_stores
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import VariableStore
from api.settings import Settings, named_file
from api.settings.rings import DATA_KEY, DATABASE, SESSION, WEBHOOK, WIDGET

LOCK_WAIT_S = 20.0
TRY_AGAIN = timedelta(seconds=5)
"""A test is no way to hammer a third party."""

Transaction = Callable[[], AbstractContextManager[Session]]


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
        """Raises `Conflict`; `old_one_needed` when backups need it, and it stays for them."""
        machine = self.machine
        with machine.transaction() as session:
            found = service.get(session, rotation_id)
            ending.end_overlap(session, machine.kinds[found.kind], rotation_id, by, machine.clock())
        found = self._run(rotation_id)
        ending.check_not_kept(found, machine.clock())
        return found

    def ended_by_hand(self, name: str, reference: str, by: str) -> RotationView | None:
        """Somebody has ended an old one that a rotation still had in its overlap: that one goes on."""
        found = self.running(name)
        if found is None or reference not in found.detail.values():
            return found
        try:
            return self.end_overlap(found.id, by)
        except Conflict:
            return found  # it has not come so far

    def try_switch(self, name: str, by: str) -> RotationView:
        """See again whether the partner has the new one. Raises `Conflict` (`no_overlap`, `tried_just_now`),
        `ProviderError`."""
        found, now = self.running(name), self.machine.clock()
        kind = self.machine.kinds[found.kind] if found else None
        if found is None or found.step is not Step.RETIRE or not isinstance(kind, SwitchSeen):
            raise Conflict("No old one is in its overlap.", fix="Rotate first.", code="no_overlap")
        tried = [datetime.fromisoformat(one["at"]) for one in found.proofs if one["name"] == SWITCHED]
        if tried and now - max(tried) < TRY_AGAIN:
            raise Conflict(
                "It was tried just now.", fix="Wait a few seconds, then try again.", code="tried_just_now"
            )
        proof = kind.switched(found)
        with self.machine.transaction() as session:
            return service.tried(session, found.id, proof, by, now)

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
    wait: Callable[[float], None] | None = None,
) -> Rotations:
    """`product` carries the calls that prove something, in tests; otherwise they go to PUBLIC_APP_URL.
    `wait`, seconds, for what takes its time to be proven; without it that is said."""
    base_url = settings.platform.public_app_url.rstrip("/")
    calls = ProductCalls(base_url, product)
    partners = Partners(transaction, vault, messenger, base_url)
    kinds: list[Kind] = [
        ApiKeys(transaction, vault, calls, partners),
        WebhookSecrets(transaction, vault, sender, partners, clock, wait),
        *platform_secrets(settings, transaction, vault, calls, clock),
    ]

    @contextmanager
    def exclusive(name: str) -> Generator[bool]:
        with advisory_lock(engine, lock_key(name), LOCK_WAIT_S) as held:
            yield held

    return Rotations(Machine(transaction, exclusive, {one.kind: one for one in kinds}, clock), vault)


def platform_secrets(
    settings: Settings, transaction: Transaction, vault: Vault, calls: ProductCalls, clock: Clock
) -> list[Kind]:
    """None where nothing keeps them: a process that was given its settings by hand."""
    if named_file() is None and settings.platforms.secret_store_list == ["local"]:
        return []
    stores = secret_stores(settings)
    issuer = origin_of(settings.platform.public_app_url)
    checks: dict[str, LiveCheck] = {
        SESSION: SessionCheck(transaction, calls, cookie_name(settings), _owner(settings, vault), clock),
        WIDGET: WidgetCheck(transaction, calls, issuer, clock),
        WEBHOOK: NoCheck(),
        DATA_KEY: NoCheck(),
    }
    processes = Processes(transaction, clock, consumers(settings))
    labels = {
        SESSION: "Founders' sessions",
        WIDGET: "Widget tokens",
        WEBHOOK: "Webhooks of partners without a secret of their own",
        DATA_KEY: "Personal data at rest",
    }
    login = DatabaseLogin(
        label="Database login",
        stores=[*stores, *_shared(settings)],
        processes=processes,
        transaction=transaction,
        vault=vault,
        clock=clock,
        admin=_admin(settings),
        lock=lock_key(DATABASE),
    )
    archive = Archive(partial(reencrypted, transaction, stores), partial(backups, settings))
    rings = [
        PlatformSecret(
            kind=kind,
            name=name,
            label=labels[name],
            stores=[*stores, *_shared(settings)] if name == DATA_KEY else stores,
            processes=processes,
            transaction=transaction,
            vault=vault,
            check=checks[name],
            clock=clock,
            generate=random_key if name == DATA_KEY else random_text,
            archive=archive if name == DATA_KEY else None,
        )
        for name, kind in PLATFORM_KINDS.items()
        if name != DATABASE
    ]
    return [*rings, login]


def _admin(settings: Settings) -> str:
    given = settings.platforms.admin_database_url
    return given.get_secret_value() if given else ""


def consumers(settings: Settings) -> Consumers:
    """What runs with the platform's secrets, and how it is made to take new ones on: processes know the
    variables of a platform from their start alone, and a file as it is."""
    name = settings.drills.hosting_provider
    if name not in SERVICES:
        return SelfReading()
    return Redeployed(partial(platform_hosting, name, settings), settings.platforms.deploy_timeout_seconds)


def reencrypted(transaction: Transaction, stores: Sequence[SecretStore]) -> Freed:
    """Everything is sealed with the current key, seen by opening samples with it alone."""
    stages = (Stage.CURRENT, Stage.PREVIOUS)
    found = {held.stage for held in stores[0].describe(DATA_KEY)}
    keys = data_keys(*(stores[0].read(DATA_KEY, stage) for stage in stages if stage in found))
    moved = reencryption.reencrypt(transaction, Vault(keys), lambda _progress: None)
    proof = reencryption.prove(transaction, keys[0])
    said = f"{moved.rows} rows moved, {proof.opened} of {proof.sampled} samples open"
    name, expected = "stored data is sealed with the current one", "all opens with it alone"
    return Freed(moved.rows, Proof(name, proof.holds, expected, said))


def backups(settings: Settings) -> Backups:
    """What a restore may start from. May raise `ProviderError`."""
    retention = timedelta(days=settings.drills.backup_retention_days)
    if not settings.stack.embedded:
        return Backups(None, retention)
    # Imported here: boto3 costs every API process a third of a second and 30 MB.
    from api.providers.databases.registry import database_provider

    points = database_provider(settings).restore_points()
    return Backups([point.earliest for point in points], retention)


def _shared(settings: Settings) -> Sequence[SecretStore]:
    """Staging of the embedded stack reads what production wrote: it has the key, too."""
    file = named_file()
    other = file.with_name("staging.env") if file and settings.stack.embedded else None
    if other is None or other == file or not other.is_file():
        return []
    return [VariableStore(EnvFile(other, "local, of staging"))]


def _owner(settings: Settings, vault: Vault) -> Callable[[Session], str | None]:
    def find(session: Session) -> str | None:
        phone = settings.platform.homepage_owner_phone
        return founders.by_phone(session, vault, phone) if phone else None

    return find


def cookie_name(settings: Settings) -> str:
    """As `api.http.cookies` names it."""
    secure = settings.platform.public_app_url.startswith("https://")
    env = settings.service.env
    return f"{'__Host-' if secure else ''}fu_session{'' if env == 'production' else f'_{env}'}"


def origin_of(url: str) -> str:
    """Scheme, host and port, as `api.http.middleware` has it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def lock_key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(b"rotation:" + name.encode()).digest()[:8], signed=True)
