"""Rotators that are really killed: each in a process of its own, by SIGKILL, in front of its nth call to the
world (which is behind the one before it). They fork from a server that has everything imported."""

import os
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.rotation import readers
from api.core.rotation.archive import Backups
from api.core.rotation.cadence import PLATFORM_KINDS
from api.core.rotation.consumers import SelfReading
from api.core.rotation.kinds import Kind
from api.core.rotation.machine import Machine
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.db import locks
from api.db.engine import make_engine, session_scope
from api.db.locks import advisory_lock
from api.live_rings import mark
from api.providers.databases import logins
from api.providers.secret_kinds import database_login, processes
from api.providers.secret_kinds.database_login import DatabaseLogin
from api.providers.secret_kinds.live_checks import NoCheck
from api.providers.secret_kinds.platform import Archive, PlatformSecret, random_key, random_text
from api.providers.secret_kinds.processes import Processes
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import VariableStore
from api.ring_file import RingFile
from api.rotating import Rotations, lock_key, reencrypted
from api.settings.rings import DATA_KEY, DATABASE, SESSION, read_rings
from tests.crash.rotations import World
from tests.crash.test_rotation import Case

REASON = "leaked"
START_S = 60.0
QUICK_S = 0.01


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rotator is given: addresses and a file, for one secret of the platform."""

    url: str
    admin: str
    file: Path
    name: str


@dataclass
class Platform:
    """The world of one rotator, and the one process that uses the secret: it looks at the file and says so
    whenever the rotator turns to the database."""

    ground: Ground
    strike: int | None = None
    calls: int = 0
    engine: Engine = field(init=False)
    _session: psycopg.Connection | None = None

    def __post_init__(self) -> None:
        self.engine = make_engine(self.ground.url, pool_size=3)
        known = read_rings(self.ground.file)
        self.vault = Vault(data_keys(*known[DATA_KEY]))
        turns = {self.ground.name: [self._take]}
        self._consumer = RingFile({}, self.ground.file, turns)

    def _take(self, ring: Sequence[str]) -> None:
        if self.ground.name == DATA_KEY:
            self.vault.turn(data_keys(*ring))
        if self.ground.name == DATABASE:
            self._session = psycopg.connect(ring[0], application_name="firstuser-api")
        marks = {self.ground.name: [mark(self.ground.name, value) for value in ring]}
        with session_scope(self.engine) as session:
            readers.note(session, "only", "api", marks, PLATFORM_KINDS, system_clock())

    def call(self) -> None:
        self.calls += 1
        if self.calls == self.strike:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def transaction(self) -> Generator[Session]:
        self.call()
        self._consumer.look()
        with session_scope(self.engine) as session:
            yield session

    @contextmanager
    def exclusive(self, name: str) -> Generator[bool]:
        with advisory_lock(self.engine, lock_key(name), 20) as held:
            yield held

    def rotations(self) -> Rotations:
        machine = Machine(
            self.transaction, self.exclusive, {one.kind: one for one in [self._kind()]}, system_clock
        )
        return Rotations(machine, self.vault)

    def _kind(self) -> Kind:
        store = VariableStore(Counted(EnvFile(self.ground.file), self.call, self.ground.name != SESSION))
        consumers = Processes(self.transaction, system_clock, SelfReading())
        if self.ground.name == DATABASE:
            return DatabaseLogin(
                "Login",
                [store],
                consumers,
                self.transaction,
                self.vault,
                system_clock,
                self.ground.admin,
                lock_key(DATABASE),
            )
        sealing = self.ground.name == DATA_KEY
        free = partial(reencrypted, self.transaction, [store])
        return PlatformSecret(
            kind=PLATFORM_KINDS[self.ground.name],
            name=self.ground.name,
            label="",
            stores=[store],
            processes=consumers,
            transaction=self.transaction,
            vault=self.vault,
            check=NoCheck(),
            clock=system_clock,
            generate=random_key if sealing else random_text,
            archive=Archive(free, lambda: Backups([], timedelta())) if sealing else None,
        )

    def rotate(self) -> RotationView:
        made = self.rotations().rotate(
            self.ground.name, mode=Mode.INCIDENT, by="t", shown=False, reason=REASON
        )
        return made.rotation

    def close(self) -> None:
        self.engine.dispose()


@dataclass(frozen=True, slots=True)
class Counted:
    """`Variables` whose every change is a call; not `at_once`: as on a platform that sets one at a time."""

    inner: EnvFile
    call: Callable[[], None]
    at_once: bool
    name: str = "local"

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        return self.inner.get(names)

    def set(self, changes: Mapping[str, str | None]) -> None:
        each = [changes] if self.at_once else [{name: value} for name, value in changes.items()]
        for some in each:
            self.call()
            self.inner.set(some)


class CountedLogins(logins.Logins):
    """Each statement is a call."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def _do(self, statement: psycopg.sql.Composed) -> None:
        type(self).before()
        super()._do(statement)


def rotate_platform(ground: Ground, strike: int | None) -> int:
    """In a child: whatever is under way, or a rotation from its beginning. How many calls it made."""
    processes._POLL_S = locks.POLL_S = logins._POLL_S = QUICK_S  # type: ignore[misc]
    world = Platform(ground, strike)
    CountedLogins.before = world.call
    database_login.Logins = CountedLogins  # type: ignore[misc]
    found = world.rotate()
    assert not found.problem, found.problem
    world.close()
    return world.calls


def rotate_partner(url: str, key: str, integration_id: str, kind: str, known: list[str], strike: int) -> None:
    """In a child: somebody presses the button, and the overlap is over."""
    world = World(make_engine(url, pool_size=3), Vault(data_keys(key)), known=known, strike=strike, die=die)
    case = Case(world, integration_id, kind, "")
    case.begin()
    from tests.crash.rotations import done

    done(world.rotations(), case.name, world)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(work: Callable[..., object], *given: object) -> int | None:
    """Its exit code: -9 when it was killed."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=work, args=given)
    child.start()
    child.join(START_S)
    if child.exitcode is None:
        child.kill()
        child.join()
        raise AssertionError("the rotator hangs")
    return child.exitcode
