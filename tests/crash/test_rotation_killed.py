"""A rotator killed by SIGKILL in front of its calls, for every kind of secret: what worked works, and run
again it ends as one that was never killed. Of the calls every nth is taken here; `make crash` takes all."""

import os
import secrets as random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.crypto import Vault, data_keys
from api.core.rotation import service
from api.core.rotation.steps import State
from api.core.webhooks import secrets
from api.db import locks
from api.db.address import opens, with_login
from api.providers.databases import logins
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.logins import Logins
from api.providers.secret_kinds import processes
from api.settings.rings import DATA_KEY, DATABASE, SESSION, read_rings
from tests.api.core.places import new_place
from tests.crash.killed import QUICK_S, Ground, Platform, in_a_child, rotate_partner, rotate_platform
from tests.crash.rotations import World, done
from tests.crash.scenario import EVERY
from tests.crash.test_rotation import KINDS, calls_of, new_case
from tests.product import DATA_KEY as FIRST_KEY
from tests.product import SESSION_SECRET, engine, new_database, product_url, vault

__all__ = ["engine", "product_url", "vault"]
KILLED = -9
EACH = int(os.environ.get(EVERY, "4"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for here but by a look at the database."""
    monkeypatch.setattr(processes, "_POLL_S", QUICK_S)
    monkeypatch.setattr(locks, "POLL_S", QUICK_S)
    monkeypatch.setattr(logins, "_POLL_S", QUICK_S)


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> str:
    """Of its own: what is sealed there moves to other keys."""
    return new_database(cluster)


@pytest.fixture
def login(cluster: Cluster, database: str) -> Iterator[str]:
    """The address as a role of its own, whose login may end."""
    role, password = f"app{random.token_hex(4)}", random.token_urlsafe(16)
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as admin:
        Logins(admin).allow(role, roles.OWNER, password)
        admin.execute(sql.SQL("alter role {} reset role").format(sql.Identifier(role)))
    yield with_login(database, role, password)


@pytest.fixture
def file(tmp_path: Path, login: str) -> Path:
    made = tmp_path / "production.env"
    values = {SESSION: SESSION_SECRET, DATA_KEY: FIRST_KEY, DATABASE: login}
    made.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    made.chmod(0o600)
    return made


@pytest.mark.parametrize("name", [SESSION, DATA_KEY, DATABASE])
def test_a_secret_of_the_platform(cluster: Cluster, database: str, file: Path, name: str) -> None:
    ground = Ground(database, cluster.dsn(roles.ADMIN), file, name)
    world = Platform(ground)
    with world.transaction() as session:
        place = new_place(session, world.vault, f"+4477{random.randbelow(10**8):08d}")
    for strike in count(random.randbelow(EACH) + 1, EACH):
        before = read_rings(file)[name][0]
        ended = in_a_child(rotate_platform, ground, strike)
        after = read_rings(file)
        assert {before, after[name][0]} & set(after[name]), "nothing is left"
        if name == DATABASE:
            assert opens(after[DATABASE][0]), f"nobody is let in after call {strike}"
        if name == DATA_KEY:
            opened = opens_founder(world, after[DATA_KEY], place.founder_id)
            assert opened.startswith("+4477"), f"call {strike}"
        if ended != KILLED:
            break
        again = Platform(ground)
        found = again.rotate() if under_way(again, name) else None
        assert found is None or found.state is State.DONE, f"call {strike}: {found}"
        again.close()
        ring = read_rings(file)[name]
        assert len(ring) == 1, f"call {strike}: {len(ring)}"
        if found is None:
            continue
        assert ring[0] != before and stages(world, name) == ["current"]
        assert name != DATABASE or not opens(before)
    assert ended == 0 and strike > 20
    world.close()


def under_way(world: Platform, name: str) -> bool:
    return world.rotations().running(name) is not None


def stages(world: Platform, name: str) -> list[str]:
    with Session(world.engine) as session:
        found = [one.stage for one in service.versions(session, name)]
    return [stage for stage in found if stage != "retired"]


def opens_founder(world: Platform, ring: list[str], founder_id: str) -> str:
    with Session(world.engine) as session:
        query = "select phone_cipher from founders where id = %(id)s"
        sealed = session.connection().exec_driver_sql(query, {"id": founder_id}).scalar_one()
    return Vault(data_keys(*ring)).open(bytes(sealed), founder_id)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_partner_holds(engine: Engine, vault: Vault, product_url: str, kind: str) -> None:
    world = World(engine, vault)
    places = calls_of(world, kind)
    for strike in range(random.randbelow(EACH) + 1, places + 1, EACH):
        case = new_case(world, kind)
        given = (product_url, FIRST_KEY, case.integration_id, kind, world.known, strike)
        assert in_a_child(rotate_partner, *given) == KILLED, f"call {strike} of {places}"
        assert case.works(case.old) or case.working() > 0, f"nothing works after call {strike}"
        with Session(engine) as session:
            ever = service.recent(session, 5, case.name)
            if kind == "webhook_secret":
                world.known = [*world.known, *secrets.valid(session, vault, case.integration_id, world.now)]
        world.now = max([world.now, *(one.step_at for one in ever)])  # the clock has not gone back meanwhile
        if not ever or not ever[0].handed_over_at:
            assert case.begin()
        ended = done(world.rotations(), case.name, world)
        assert ended.state is State.DONE, f"call {strike}: {ended.step} {ended.problem}"
        assert not case.works(case.old) and case.working() == 1
