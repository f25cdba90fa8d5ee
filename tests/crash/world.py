"""A small world that a drill runs in: providers that remember what exists, and that can be struck dead at any
external call, before it takes effect or after. Rows live in a real database; so does the "restored copy"."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.drilling import DEFAULT_CHECKS, Drilling
from api.core.drills.runner import DrillRun
from api.core.errors import FirstUserError
from api.core.ports import (
    BackupPolicy,
    Handle,
    OnProgress,
    ProviderFact,
    RestorePlan,
    RestorePoint,
    RestoreTarget,
    ServiceState,
)
from api.core.privacy import tombstones
from api.db import migrate
from api.db.engine import Engine, Session, session_scope

HOME = "own"
_NAMES = text("SELECT user_id, external_user_id FROM entries")
CHECKS = [name for name in DEFAULT_CHECKS if name not in {"login", "founder_tools"}]


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and no `finally` of the drill may be relied upon."""


@dataclass
class World:
    """`strike` counts external calls; the call with that number dies, before or after its effect."""

    engine: Engine
    copies: set[str] = field(default_factory=set[str])
    staging: str = HOME
    staging_copy: str | None = None
    calls: list[str] = field(default_factory=list[str])
    strike: int | None = None
    after_effect: bool = False
    dead: bool = False

    @contextmanager
    def external(self, name: str) -> Generator[None]:
        if self.dead:
            raise Killed(name)
        self.calls.append(name)
        struck = self.strike == len(self.calls)
        if struck and not self.after_effect:
            self.die(name)
        yield
        if struck:
            self.die(name)

    def die(self, name: str) -> None:
        """From here on every call of this process fails, as after a SIGKILL: teardown does nothing."""
        self.dead = True
        raise Killed(name)

    def reborn(self) -> None:
        self.dead, self.strike, self.calls = False, None, []

    def transaction(self) -> AbstractContextManager[Session]:
        if self.dead:
            raise Killed("database")
        return session_scope(self.engine)


@dataclass
class FakeDatabase:
    world: World
    name: str = "fake"

    def restore_points(self) -> list[RestorePoint]:
        now = system_clock()
        return [RestorePoint("full-1", "full", now - timedelta(hours=1), now, 1)]

    def locate(self, target: RestoreTarget) -> RestorePlan:
        with self.world.external("locate"):
            return RestorePlan(target, self.restore_points()[0], 1, 1)

    def restore(self, plan: RestorePlan, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        with self.world.external("restore"):
            self.world.copies.add(name)
            return Handle(name, plan.target.at, expires_at)

    def wait(self, handle: Handle, on_progress: OnProgress) -> None:
        with self.world.external("wait"):
            pass

    def promote(self, handle: Handle) -> None:
        with self.world.external("promote"):
            pass

    def dsn(self, handle: Handle, role: str) -> str:
        url = self.world.engine.url.render_as_string(hide_password=False)
        return url.replace("postgresql+psycopg", "postgresql")

    def verify(self, handle: Handle) -> list[ProviderFact]:
        with self.world.external("verify"):
            return [ProviderFact("manifest", True, "verified", "verified")]

    def amcheck(self, handle: Handle) -> ProviderFact:
        return ProviderFact("amcheck", True, "no corruption", "no corruption")

    def destroy(self, handle: Handle) -> None:
        with self.world.external("destroy"):
            self.world.copies.discard(handle.name)

    def orphans(self, now: datetime) -> list[Handle]:
        return [Handle(name, now, now) for name in sorted(self.world.copies)]

    def backup_policy(self) -> BackupPolicy:
        return BackupPolicy(True, 14, system_clock())


@dataclass
class FakeHosting:
    world: World
    name: str = "fake"

    def pointer(self, service: str) -> str:
        return self.world.staging

    def point(
        self, service: str, dsn: str, *, restored_copy: str | None = None, as_of: datetime | None = None
    ) -> str:
        with self.world.external("point"):
            self.world.staging, self.world.staging_copy = dsn, restored_copy
            return f"deploy-{len(self.world.calls)}"

    def wait_live(self, service: str, deploy_id: str, timeout_s: float) -> ServiceState:
        with self.world.external("wait_live"):
            return ServiceState(True, deploy_id, self.world.staging_copy)

    def state(self, service: str) -> ServiceState:
        return ServiceState(True, "", self.world.staging_copy)

    def base_url(self, service: str) -> str:
        return "http://staging.invalid"


class FakeVisitor:
    """Answers as the product would for the sample that the beacon holds."""

    def __init__(self, world: World) -> None:
        self._world = world

    def log_in(self, phone: str) -> str:
        return "code accepted"

    def page(self, path: str) -> str:
        with self._world.external(f"page {path}"):
            return "<h1>Web</h1>"

    def founder_json(self, path: str) -> Mapping[str, Any]:
        with self._world.external(f"founder {path}"):
            return self._sample()["integration"]

    def partner_json(self, path: str, api_key: str) -> Mapping[str, Any]:
        with self._world.external(f"partner {path}"):
            rows = self._live()
            return {"data": rows, "has_more": False, "count": len(rows)}

    def _live(self) -> list[Mapping[str, Any]]:
        """As the API names people: by what the partner calls them."""
        with Session(self._world.engine) as session:
            names = {row.user_id: row.external_user_id for row in session.execute(_NAMES)}
        return [{**row, "external_user_id": names[row["user_id"]]} for row in self._sample()["live"]]

    def _sample(self) -> Mapping[str, Any]:
        from api.core.drills import queries

        with Session(self._world.engine) as session:
            newest = queries.newest_beacon(session)
            assert newest is not None
            return newest.sample


def begin(use: Drilling, target: str = "latest") -> str:
    """Open a drill of `CHECKS`."""
    with use.transaction() as session:
        return service.begin(
            session,
            asked_target=target,
            trigger="ops",
            flow_run_id=None,
            rto_target=60,
            rpo_target=60,
            check_names=CHECKS,
            now=use.clock(),
        )


def carry_out(use: Drilling, keep: timedelta = timedelta(0), target: str = "latest") -> str:
    """The steps of the flow, in its order, with its `finally`. Returns the drill's id."""
    drill_id = begin(use, target)
    run = DrillRun(use, drill_id, lambda _: None)
    error: FirstUserError | None = None
    try:
        run.locate()
        run.restore(keep)
        run.replay()
        run.check_database(CHECKS)
        run.promote()
        run.forget_the_deleted()
        run.point_staging()
        run.verify_product(CHECKS)
    except FirstUserError as refused:
        error = refused
    finally:
        run.conclude(error)
    return drill_id


def drilling(world: World) -> Drilling:
    @contextmanager
    def visitor() -> Generator[FakeVisitor]:
        yield FakeVisitor(world)

    return Drilling(
        transaction=world.transaction,
        source=world.transaction,
        database=FakeDatabase(world),
        hosting=FakeHosting(world),
        visitor=visitor,
        mint_key=lambda _session, _integration, _now: "key",
        replay_tombstones=tombstones.replay,
        clock=system_clock,
        owner_phone="+15550100001",
        live_window=timedelta(seconds=90),
        copy_ttl=timedelta(hours=1),
        wait_timeout_s=5,
        code_migration_head=migrate.head(),
    )
