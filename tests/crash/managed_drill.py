"""A drill's core in a process of its own that can be struck dead for real, beside a vendor on loopback."""

import json
import multiprocessing
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import event, inspect

from api.core.clock import system_clock
from api.core.drills.beacons import write_beacon
from api.core.drills.drilling import Drilling
from api.core.drills.models import Drill
from api.core.ports import ServiceState
from api.db.engine import Session, make_engine, session_scope
from api.providers.databases.registry import database_provider
from api.settings import Settings
from tests.crash.world import HOME, World, carry_out, drilling

BEACON_AGE = timedelta(seconds=8)
READ_BY_UNDO = (
    "status",
    "database_name",
    "database",
    "keep_until",
    "staging_home",
    "staging_restored_at",
    "database_destroyed_at",
)


@dataclass(frozen=True)
class Blow:
    """After which effect the process dies: the so-many-th of its journal or of staging's pointer. A blow by
    the vendor is the vendor's own (`FakeVendor.strike`)."""

    journal: int = 0
    staging: int = 0


NO_BLOW = Blow()


@dataclass(frozen=True)
class Told:
    """What the process needs: where its rows are, the vendor's settings, where staging's pointer lies.
    Without `every_write` only those writes to the journal count that change what an undo reads of it."""

    dsn: str
    settings: Settings
    pointer: Path
    every_write: bool = True
    blow: Blow = NO_BLOW


class Struck:
    """Counts effects and dies after the chosen one."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.seen = 0

    def effect(self) -> None:
        self.seen += 1
        if self.seen == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class Staging:
    """A hosting provider whose memory is a file."""

    name = "file"

    def __init__(self, file: Path, struck: Struck) -> None:
        self._file = file
        self._struck = struck

    def pointer(self, service: str) -> str:
        return HOME

    def point(
        self, service: str, dsn: str, *, restored_copy: str | None = None, as_of: datetime | None = None
    ) -> str:
        self._file.write_text(json.dumps({"dsn": dsn, "copy": restored_copy}))
        self._struck.effect()
        return "dep"

    def wait_live(self, service: str, deploy_id: str, timeout_s: float) -> ServiceState:
        return self.state(service)

    def state(self, service: str) -> ServiceState:
        return ServiceState(True, "dep", self.serves())

    def base_url(self, service: str) -> str:
        return "http://staging.invalid"

    def serves(self) -> str | None:
        return json.loads(self._file.read_text())["copy"] if self._file.exists() else None


def use(told: Told, journal: Struck, staging: Struck) -> Drilling:
    engine = make_engine(told.dsn)

    @contextmanager
    def transaction() -> Generator[Session]:
        wrote: list[bool] = []

        def seen(session: Session, *_: object) -> None:
            written = [*session.new, *session.dirty]
            if written and (told.every_write or any(map(decisive, written))):
                wrote.append(True)

        with session_scope(engine) as session:
            event.listen(session, "before_flush", seen)
            yield session
        if wrote:
            journal.effect()

    plain = drilling(World(engine))
    hosting, database = Staging(told.pointer, staging), database_provider(told.settings)
    return replace(plain, transaction=transaction, database=database, hosting=hosting)


def decisive(written: object) -> bool:
    if not isinstance(written, Drill):
        return False
    return any(inspect(written).attrs[name].history.has_changes() for name in READ_BY_UNDO)


def drill(told: Told, report: Connection | None = None) -> None:
    """The steps of the flow, in its order. Waits for a word first: the vendor has to know whom to strike."""
    if report is not None:
        report.recv()
    journal, staging = Struck(told.blow.journal), Struck(told.blow.staging)
    using = use(told, journal, staging)
    with using.source() as session:
        write_beacon(session, "ada", system_clock() - BEACON_AGE)
    carry_out(using)
    if report is not None:
        report.send((journal.seen, staging.seen))


class Arena:
    """Processes forked from one that has everything loaded: a drill each, killed or not."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, "api.providers.databases.registry"])

    @contextmanager
    def started(self, told: Told) -> Generator[tuple[multiprocessing.process.BaseProcess, Connection]]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=drill, args=(told, theirs))
        process.start()
        theirs.close()
        try:
            yield process, ours
            process.join(120)
        finally:
            process.kill()
            process.join()
            ours.close()
