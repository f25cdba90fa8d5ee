"""One contract for every managed database, over its vendor's fake: what is asked twice is made once, what was
lost is found, what must not be is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from api.core.errors import Refused, Rejected, TimedOut
from api.core.ports import AccessChecker, DatabaseProvider, Handle, Progress, RestoreTarget
from api.core.preflight.judging.database import pitr, wal
from api.core.preflight.records import State
from api.db.address import login_of, opens
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.passwords import read_passwords
from api.providers.databases.registry import database_provider
from api.settings import Settings
from tests.managed.logins import LOGIN, production
from tests.managed.neon import locked
from tests.managed.places import Lent
from tests.managed.rows import ROWS, environment, settings_from
from tests.managed.vendor import FakeVendor
from tests.platforms.fake import TOKEN, broken, on_loopback, too_many

NAME = "drill-0a1b2c"


def now() -> datetime:
    return datetime.now(UTC)


def silent(_progress: Progress) -> None:
    return


@dataclass
class Place:
    fake: FakeVendor
    provider: DatabaseProvider
    settings: Settings
    reach: timedelta
    moment: datetime = field(default_factory=lambda: now().replace(microsecond=0))

    def restored(self, ago: timedelta | None = None) -> Handle:
        plan = self.provider.locate(RestoreTarget(self.moment - (self.reach if ago is None else ago)))
        return self.provider.restore(plan, NAME, now() + timedelta(hours=1), silent)

    def names(self) -> list[str]:
        return [handle.name for handle in self.provider.orphans(now())]


@pytest.fixture(params=list(ROWS))
def place(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    name = request.param
    port = cluster.running_port
    assert port is not None
    fake = ROWS[name].fake(Lent(port), read_passwords(cluster.home.pgpass))
    with on_loopback(fake), production(cluster) as urls:
        given = {"DATABASE_URL": urls["app"], **environment(name, fake, urls["admin"], poll_s=0.01)}
        settings = settings_from(given, tmp_path)
        yield Place(fake, database_provider(settings), settings, ROWS[name].reach)


def test_a_copy_is_made_once_stands_and_goes_without_a_trace(place: Place) -> None:
    handle = place.restored()
    again = place.restored()
    assert place.fake.effects.count(next(iter(place.fake.effects))) == 1
    assert (again.name, again.details) == (handle.name, handle.details)
    place.provider.wait(handle, silent)
    place.provider.promote(handle)
    place.provider.promote(handle)
    for role, whom in {"app": ("firstuser_copy", "shop"), "admin": ("firstuser_admin",) * 2}.items():
        with psycopg.connect(place.provider.dsn(handle, role)) as connection:
            assert connection.execute("SELECT session_user, current_user").fetchone() == whom
    assert [fact for fact in place.provider.verify(handle) if fact.possible and not fact.ok] == []
    assert place.provider.amcheck(handle).ok
    (orphan,) = place.provider.orphans(now())
    assert orphan.name == NAME
    assert timedelta(minutes=58) < orphan.expires_at - now() <= timedelta(hours=1)
    place.provider.destroy(Handle(NAME, now(), now()))
    place.provider.destroy(handle)
    assert (place.names(), place.fake.made) == ([], {})
    assert place.fake.left_behind() == []


def test_a_write_whose_answer_was_lost_is_found_and_not_made_again(place: Place) -> None:
    place.fake.lose_the_next_write()
    handle = place.restored()
    assert len(place.fake.made) == 1
    place.fake.lose_the_next_write()
    place.provider.destroy(handle)
    assert place.fake.made == {}


def test_patience_is_given_to_whoever_asks_for_it(place: Place) -> None:
    place.fake.troubles = [too_many(Retry_After="0"), too_many(RateLimit_Reset="0"), broken(503)]
    place.provider.wait(place.restored(), silent)
    place.fake.troubles = [broken(503)]
    place.provider.destroy(Handle(NAME, now(), now()))
    assert place.fake.made == {}


@pytest.mark.parametrize("place", ["neon"], indirect=True)
def test_neons_lock_is_waited_for(place: Place) -> None:
    place.fake.troubles = [locked("POST"), locked("GET"), locked("POST")]
    place.provider.wait(place.restored(), silent)
    place.fake.troubles = [locked("DELETE"), locked("DELETE")]
    place.provider.destroy(Handle(NAME, now(), now()))
    assert (place.fake.troubles, [one.split()[0] for one in place.fake.effects]) == ([], ["create", "delete"])


def test_what_nobody_knows_is_said_to_be_unknown(place: Place) -> None:
    place.fake.fail_writes = True
    with pytest.raises(TimedOut) as unknown:
        place.restored()
    assert unknown.value.retryable
    assert place.names() == []


def test_a_copy_that_fails_says_so_and_is_replaced_at_the_next_try(place: Place) -> None:
    place.fake.broken = True
    with pytest.raises(Rejected, match=NAME):
        place.provider.wait(place.restored(), silent)
    place.fake.broken = False
    if place.names():
        for made in place.fake.made.values():
            made.facts["failed"] = True
    place.provider.wait(place.restored(), silent)
    assert len(place.fake.made) == 1


def test_a_copy_of_another_moment_is_replaced(place: Place) -> None:
    place.restored(2 * place.reach)
    handle = place.restored()
    assert len(place.fake.made) == 1
    assert handle.target_at == place.moment - place.reach


def test_one_that_is_still_being_made_is_destroyed_all_the_same(place: Place) -> None:
    place.fake.slowness = 4
    place.restored()
    place.provider.destroy(Handle(NAME, now(), now()))
    assert (place.names(), place.fake.made) == ([], {})


def test_an_expired_token_is_refused_and_not_shown(place: Place) -> None:
    assert isinstance(place.provider, AccessChecker)
    assert [one.ok for one in place.provider.check_access()] == [True, True, True, None, None]
    place.fake.token = "another"
    found = place.provider.check_access()
    assert [one.ok for one in found] == [False, False, False, None, None]
    assert TOKEN not in str(found)
    with pytest.raises(Rejected) as refused:
        place.provider.restore_points()
    assert refused.value.fix
    assert TOKEN not in str(refused.value)
    assert not refused.value.retryable


def test_copies_of_another_database_are_not_ours(place: Place) -> None:
    place.restored()
    place.fake.disown()
    assert place.names() == []
    place.provider.destroy(Handle(NAME, now(), now()))
    assert len(place.fake.made) == 1


def test_production_is_never_handed_out_as_a_copy(place: Place, cluster: Cluster, tmp_path: Path) -> None:
    handle = place.restored()
    place.provider.wait(handle, silent)
    platform = place.settings.platform.model_copy(update={"database_url": SecretStr(cluster.dsn("app"))})
    with pytest.raises(Rejected, match="production's own address"):
        database_provider(replace(place.settings, platform=platform)).dsn(handle, "app")


def test_moments_out_of_reach_are_refused_before_anything_is_made(place: Place) -> None:
    for ago in (timedelta(days=400), timedelta(seconds=-60)):
        with pytest.raises(Refused):
            place.restored(ago)
    assert place.fake.effects == []


def test_preflight_reads_the_policy(place: Place) -> None:
    policy = place.provider.backup_policy()
    assert pitr(policy).state is place.fake.good_policy
    assert wal(policy, 900, now()).state is State.PASS
    place.fake.turn_pitr_off()
    policy = place.provider.backup_policy()
    assert pitr(policy).state is State.FAIL
    assert policy.note in pitr(policy).observed


def test_the_same_second_counts_when_it_is_too_new_to_round_up(place: Place) -> None:
    (point,) = place.provider.restore_points()
    assert point.latest is not None
    plan = place.provider.locate(RestoreTarget(point.latest - timedelta(milliseconds=1)))
    (later,) = place.provider.restore_points()
    assert later.latest is not None
    assert plan.target.at.microsecond == 0
    assert plan.target.at <= later.latest


def test_the_logins_of_its_day_end_on_a_copy(place: Place, cluster: Cluster) -> None:
    """Nothing that the vendor knows of the app's login is needed, and its password is worth nothing there."""
    before = place.settings.platform.database_url.get_secret_value().replace("localhost", "127.0.0.1")
    assert opens(before)
    handle = place.restored()
    place.provider.wait(handle, silent)
    with logging_statements(cluster):
        place.provider.promote(handle)
    assert not opens(before)
    asked = " ".join(str(request.url) for request in place.fake.asked)
    password = login_of(place.provider.dsn(handle, "app"))[1]
    assert LOGIN not in asked
    assert len(password) == 64
    log = cluster.home.log.read_text()
    assert 'ALTER ROLE "firstuser_copy" LOGIN PASSWORD' in log
    assert password not in asked + log
    assert login_of(place.provider.dsn(handle, "admin"))[1] != password


@contextmanager
def logging_statements(cluster: Cluster) -> Iterator[None]:
    with psycopg.connect(cluster.dsn("admin"), autocommit=True) as admin:
        admin.execute("ALTER ROLE firstuser_admin SET log_statement = 'all'")
        yield
        admin.execute("ALTER ROLE firstuser_admin RESET log_statement")


@pytest.mark.parametrize("admin", ["", "postgresql://shop_b:secret@localhost/firstuser"])
def test_without_an_administrator_nothing_is_made(place: Place, admin: str) -> None:
    databases = place.settings.databases.model_copy(update={"drill_admin_database_url": SecretStr(admin)})
    provider = database_provider(replace(place.settings, databases=databases))
    with pytest.raises(Refused, match="FIRSTUSER_DRILL_ADMIN_DATABASE_URL") as refused:
        provider.locate(RestoreTarget(place.moment - place.reach))
    assert refused.value.code == "no_drill_admin"
    assert refused.value.fix
    assert isinstance(provider, AccessChecker)
    assert provider.check_access()[-1].ok is False
    assert "secret" not in str(refused.value) + str(provider.check_access())
    assert list(provider.orphans(now())) == []


@pytest.mark.parametrize("name", ROWS)
def test_what_is_not_set_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=ROWS[name].needs):
        database_provider(settings_from({"FIRSTUSER_DATABASE_PROVIDER": name}, tmp_path))
