"""The database's login: `DATABASE_URL`, whose two roles take turns (`api.providers.databases.logins`).

Nothing that it has made has to be accepted later, as with a signature's secret: processes log in with the
current one alone. What has to go on is the work: a process closes a connection when nobody uses it, and opens
the next with the new login.
"""

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

import psycopg
from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound, Refused, Unavailable
from api.core.rotation import service
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import Current, Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.rotation.stores import SecretStore, Stage, at
from api.db.address import login_of, opens, with_login
from api.live_rings import mark
from api.providers.databases.logins import PROVIDER, Logins, group_of, next_of
from api.providers.secret_kinds import carried
from api.providers.secret_kinds.processes import Processes

NAME = "DATABASE_URL"
_SEEN_S = 20.0  # a process says every ten seconds that it lives, with a session of its own
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """`admin`: the address of a role that may make roles, "" where there is none. `lock`: the advisory lock
    that keeps rotators apart, whose holder may still be there with the login that ends."""

    label: str
    stores: Sequence[SecretStore]
    processes: Processes
    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    clock: Clock
    admin: str
    lock: int

    kind = "database"
    held_by_partner = False

    def secrets(self, session: Session, now: datetime) -> Sequence[Held]:
        return carried.held(session, NAME, self.kind, self.label, now)

    def current(self, session: Session, name: str) -> Current:
        return carried.current(session, name)

    def mint(self, session: Session, row: RotationRow, now: datetime) -> str:
        """The password comes with the step after this one: nothing of it is in our own rows."""
        if not self.admin:
            raise Refused(
                "There is no administrator's login to change the database's login with.",
                fix="Set FIRSTUSER_ADMIN_DATABASE_URL to a role with CREATEROLE. Where the provider has none:"
                " change the password in its console, set DATABASE_URL, and deploy.",
                code="no_admin_login",
            )
        previous = self.current(session, row.name).reference
        stores = [store.name for store in self.stores]
        row.detail = {**row.detail, "stores": stores, "previous": previous}
        return f"version {row.to_version}"

    def store(self, rotation: RotationView) -> Sequence[Proof]:
        old, role, password = self._logins(rotation)
        if group_of(login_of(self.admin)[0]) == group_of(old):
            raise Refused(
                f"The administrator logs in as {login_of(self.admin)[0]}, as the application does.",
                fix="Give the application a role of its own: its old login ends with the rotation.",
            )
        with self.transaction() as session:
            service.remember(session, rotation.id, {"old_role": old, "role": role})
        for store in self.stores:
            url = with_login(store.read(NAME, Stage.CURRENT), role, password)
            carried.put(store, NAME, rotation.to_version, url)
        with self._admin() as logins:
            logins.allow(role, group_of(role), password)
        where = ", ".join(store.name for store in self.stores)
        return [
            Proof("written", True, "pending in every store", where),
            Proof("the idle login has a new password", True, "set", role),
        ]

    def reload(self, rotation: RotationView) -> Sequence[Proof]:
        """No store hands out a login that is not let in."""
        values = [carried.value(store, NAME, rotation.to_version) for store in self.stores]
        if not all(value and opens(value) for value in values):
            raise Unavailable(
                f"{rotation.detail.get('role')} is not let in with its new password.",
                provider=PROVIDER,
                operation="log in",
                fix="Does a pooler or pg_hba.conf know the role? Then run it again.",
            )
        for store in self.stores:
            store.promote(NAME, rotation.to_version)
        new = mark(NAME, self.stores[0].read(NAME, Stage.CURRENT))
        seen = self.processes.until(
            NAME, f"{rotation.id}:reload", "log in with the new one", lambda one: one.prefers(NAME, new)
        )
        with self.transaction() as session:
            service.refer(session, NAME, rotation.to_version, new)
        said = self.processes.running(seen)
        return [Proof("every process runs it", True, f"version {rotation.to_version}", said)]

    def prove(self, rotation: RotationView) -> Sequence[Proof]:
        """A session of each service is seen, and both logins are let in."""
        current, previous = (self._read(stage) for stage in (Stage.CURRENT, Stage.PREVIOUS))
        proofs = [Proof("the new login", *self._let_in(current)), self._seen(rotation)]
        if previous:
            proofs.append(Proof("the old login, for the way back", *self._let_in(previous)))
        return proofs

    def tell(self, rotation: RotationView) -> Sequence[Proof]:
        return []

    def overlap(self, session: Session, row: RotationRow, until: datetime) -> None:
        """The server lets both in; nothing of it is in our rows."""

    def retire(self, rotation: RotationView) -> Sequence[Proof]:
        for store in self.stores:
            carried.check_current(store, NAME, rotation.to_version)
        last = Proof("the new login, before the old one ends", *self._let_in(self._read(Stage.CURRENT)))
        if last.blocks:
            return [last]
        proofs = [last, *self._witnessed(rotation)]
        old = str(rotation.detail["old_role"])
        with self._admin() as logins:
            logins.forbid(old)
            patience = 0.0 if rotation.mode is Mode.INCIDENT else _PATIENCE_S
            ended = logins.end_sessions(old, patience)
            left = logins.sessions(old)
        for store in self.stores:
            carried.drop_previous(store, NAME)
        said = f"{ended} had to be ended" + (f", left: {_words(left)}" if left else "")
        return [*proofs, Proof("no session of the old login is left", not left, "none", said)]

    def retired(self, session: Session, row: RotationRow, now: datetime) -> None:
        """Nothing of it is in our rows."""

    def refuse(self, rotation: RotationView) -> Sequence[Proof]:
        """Tried at the same door at the same time: the new login is let in, the old one is not."""
        proofs = [Proof("the new login", *self._let_in(self._read(Stage.CURRENT)))]
        with self._admin() as logins:
            may = logins.may_log_in(str(rotation.detail["old_role"]))
        with self.transaction() as session:
            found = service.get(session, rotation.id)
        tried = found.witness is not None and opens(self.vault.open(found.witness, rotation.id))
        said = "let in" if tried else "it may still log in" if may else "not let in"
        return [*proofs, Proof("the old login is refused", not (tried or may), "not let in", said)]

    def roll_back(self, rotation: RotationView) -> Sequence[Proof]:
        for store in self.stores:
            held = store.describe(NAME)
            current, previous = at(held, Stage.CURRENT), at(held, Stage.PREVIOUS)
            if current and current.version == rotation.to_version and previous:
                if not opens(store.read(NAME, Stage.PREVIOUS)):
                    raise Conflict("The old login is not let in any more.", fix="Rotate again.")
                store.promote(NAME, previous.version)
        old = str(rotation.detail["previous"])
        self.processes.until(
            NAME, f"{rotation.id}:roll_back", "log in with the old one", lambda one: one.prefers(NAME, old)
        )
        if role := rotation.detail.get("role"):
            with self._admin() as logins:
                logins.forbid(role)
                logins.end_sessions(role, _PATIENCE_S)
        for store in self.stores:
            store.retire(NAME, rotation.to_version)
        return [Proof("every process runs the old one", True, "first everywhere", "first everywhere")]

    def rolled_back(self, session: Session, row: RotationRow, now: datetime) -> None:
        """Nothing of it is in our rows."""

    @contextmanager
    def _admin(self) -> Generator[Logins]:
        try:
            with psycopg.connect(
                self.admin, autocommit=True, connect_timeout=5, application_name="firstuser-rotation"
            ) as connection:
                yield Logins(connection, self.lock)
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"The administrator is not let in, or was cut off ({type(error).__name__}).",
                provider=PROVIDER,
                operation="change login",
                fix="Check FIRSTUSER_ADMIN_DATABASE_URL, then run it again.",
            ) from None

    def _logins(self, rotation: RotationView) -> tuple[str, str, str]:
        """(the old role, the new one, its password): as far as a store has them, or made up."""
        known = next(filter(None, (carried.value(one, NAME, rotation.to_version) for one in self.stores)), "")
        if "role" in rotation.detail and known:
            return str(rotation.detail["old_role"]), *login_of(known)
        old = login_of(self.stores[0].read(NAME, Stage.CURRENT))[0]
        return old, next_of(old), login_of(known)[1] or secrets.token_urlsafe(32)

    def _read(self, stage: Stage) -> str:
        """ "" where the first store has none."""
        try:
            return self.stores[0].read(NAME, stage)
        except NotFound:
            return ""

    def _let_in(self, url: str) -> tuple[bool, str, str]:
        good = bool(url) and opens(url)
        return good, "let in", f"{login_of(url)[0]} is {'' if good else 'not '}let in"

    def _seen(self, rotation: RotationView) -> Proof:
        """By the names that sessions have: where the administrator may not see those, that there are any."""
        wanted = {f"firstuser-{one.service}" for one in self.processes.living(NAME)}
        deadline = monotonic() + _SEEN_S
        with self._admin() as logins:
            while True:
                found = logins.sessions(str(rotation.detail["role"]))
                if wanted <= found.keys() or set(found) == {"?"} or monotonic() > deadline:
                    break
                sleep(0.25)
        good = wanted <= found.keys() or set(found) == {"?"}
        return Proof("sessions of every service", good, ", ".join(sorted(wanted)), _words(found))

    def _witnessed(self, rotation: RotationView) -> Sequence[Proof]:
        """The old login is let in still; it is kept, sealed, to be refused later."""
        old = self._read(Stage.PREVIOUS)
        if not old or not opens(old):
            return []
        with self.transaction() as session:
            service.keep_witness(session, rotation.id, self.vault.seal(old, rotation.id))
        return [Proof("the old login, just before its end", True, "let in", "let in")]


def _words(found: dict[str, int]) -> str:
    return ", ".join(f"{name} × {count}" for name, count in sorted(found.items())) or "none"
