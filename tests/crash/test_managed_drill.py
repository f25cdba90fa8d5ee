"""Kill -9 a drill after every effect it has, on its journal, at the vendor and on staging, with each vendor.

Whatever dies has left a state behind, and the next run sees nothing but that state: so one blow after each
effect meets every state there is. The answer to the vendor's effect is never heard.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from api.core.clock import system_clock
from api.core.drills import service
from api.core.drills.beacons import write_fingerprint
from api.core.drills.drilling import Drilling
from api.core.drills.records import DrillStatus
from api.core.drills.undo import sweep
from api.db.engine import Engine, session_scope
from api.providers.databases import copy_login
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.passwords import read_passwords
from api.providers.databases.logins import Logins
from api.providers.databases.managed import addresses
from tests.crash.managed_drill import NO_BLOW, Arena, Blow, Staging, Struck, Told, use
from tests.managed.logins import GROUP, LOGIN, PASSWORD, production
from tests.managed.places import Lent
from tests.managed.rows import ROWS, environment, settings_from
from tests.managed.vendor import FakeVendor
from tests.platforms.fake import on_loopback

EVERY_WRITE = "neon"
"""With one vendor after every write to the journal; with the others after each that an undo would read."""

pytestmark = pytest.mark.timeout(600)


@dataclass
class Ground:
    arena: Arena
    fake: FakeVendor
    told: Told
    engine: Engine
    next_run: Drilling

    def drill(self, *, blow: Blow = NO_BLOW, strike: int = 0) -> tuple[int | None, tuple[int, int] | None]:
        """Exit code, and what it counted when it came to its end."""
        self.fake.effects, self.fake.strike = [], strike or None
        with self.arena.started(replace(self.told, blow=blow)) as (process, pipe):
            self.fake.victim = process.pid
            pipe.send("go")
            process.join(120)
            counted = pipe.recv() if process.exitcode == 0 else None
        self.fake.strike = None
        return process.exitcode, counted

    def newest(self) -> tuple[DrillStatus, list[str]]:
        with session_scope(self.engine) as session:
            found = service.recent(session, 1)[0]
            return found.status, list(found.issues)

    def assert_tidy_after_a_sweep(self) -> None:
        sweep(self.next_run)
        assert self.fake.made == {}
        assert Staging(self.told.pointer, Struck(0)).serves() is None
        assert sweep(self.next_run) == []


@contextmanager
def ground(name: str, engine: Engine, cluster: Cluster, folder: Path) -> Iterator[Ground]:
    dsn = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
    port = engine.url.port
    assert port is not None
    fake = ROWS[name].fake(Lent(port), read_passwords(cluster.home.pgpass))
    with on_loopback(fake), production(cluster):
        with psycopg.connect(dsn, autocommit=True) as lent:  # production's own server: opened once for all
            copy_login.admit(Logins(lent), GROUP, "of an earlier copy")
        with session_scope(engine) as session:
            write_fingerprint(session, system_clock() - timedelta(seconds=20))
        admin = dsn.replace("127.0.0.1", "localhost")  # the vendor's copy must be another place
        app = addresses.with_login(admin, LOGIN, PASSWORD)
        given = {"DATABASE_URL": app, **environment(name, fake, admin, poll_s=0.005)}
        settings = settings_from(given, folder)
        told = Told(dsn, settings, folder / "staging.json", every_write=name == EVERY_WRITE)
        yield Ground(Arena(), fake, told, engine, use(told, Struck(0), Struck(0)))


@pytest.mark.parametrize("name", ROWS)
def test_killed_after_any_effect_the_next_run_puts_it_right(
    name: str, engine: Engine, cluster: Cluster, tmp_path: Path
) -> None:
    with ground(name, engine, cluster, tmp_path) as here:
        code, counted = here.drill()
        assert (code, *here.newest()) == (0, DrillStatus.PASSED, [])
        assert counted is not None
        journal, staging = counted
        effects = len(here.fake.effects)
        assert journal >= (20 if name == EVERY_WRITE else 6) and staging == 2 and effects >= 2
        for number in range(1, effects + 1):
            assert here.drill(strike=number)[0] == -9
            here.assert_tidy_after_a_sweep()
        for number in range(1, staging + 1):
            assert here.drill(blow=Blow(staging=number))[0] == -9
            here.assert_tidy_after_a_sweep()
        for number in range(1, journal + 1):
            assert here.drill(blow=Blow(journal=number))[0] == -9
            here.assert_tidy_after_a_sweep()
        assert here.drill()[0] == 0
        assert here.newest() == (DrillStatus.PASSED, [])
