"""The database's login rotated under constant traffic, in a process that is never restarted."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from api.core.errors import Refused
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode, State, Step
from api.db.address import login_of, opens, with_login
from api.db.engine import make_engine
from api.following import followed
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.logins import Logins
from api.settings import Settings
from api.settings.rings import DATABASE, read_rings
from deployments.local.seed import seed
from tests.api.providers.secret_kinds.traffic import Traffic, callers, wait_until_known
from tests.product import new_database, product_settings
from tests.serving import Served, serving

__all__ = ["callers"]
GRACE = timedelta(hours=1)


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def url(cluster: Cluster, admin: psycopg.Connection) -> str:
    """As the application logs in: a role of this test's own, that may do what the owner may."""
    url, role, password = new_database(cluster), f"app{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    Logins(admin).allow(role, roles.OWNER, password)
    admin.execute(sql.SQL("alter role {} reset role").format(sql.Identifier(role)))
    return with_login(url, role, password)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    made = tmp_path / "production.env"
    made.write_text(f"{DATABASE}='{url}'\n")
    made.chmod(0o600)
    monkeypatch.setenv("FIRSTUSER_ENV_FILE", str(made))
    return made


@pytest.fixture
def served(
    cluster: Cluster, cluster_settings: Settings, tmp_path: Path, file: Path, url: str
) -> Iterator[Served]:
    settings = product_settings(cluster_settings, url, tmp_path)
    known = settings.platforms.model_copy(update={"admin_database_url": SecretStr(cluster.dsn(roles.ADMIN))})
    settings = replace(settings, platforms=known)
    seed(url, settings, 0.003, datetime.now(UTC))
    with serving(settings, file) as found:
        wait_until_known(found, 1)
        yield found


def rotate(served: Served) -> RotationView:
    made = served.services.rotations.rotate(
        DATABASE, mode=Mode.SCHEDULED, by="test", shown=False, grace=GRACE
    )
    return made.rotation


def test_nobody_notices_and_the_old_login_ends(
    served: Served, file: Path, callers: dict[str, Callable[[], httpx.Response]], admin: psycopg.Connection
) -> None:
    rotations, logins = served.services.rotations, Logins(admin)
    engine = make_engine(followed(served.settings, file), application_name="firstuser-flows")
    group = login_of(read_rings(file)[DATABASE][0])[0]
    for old, new in ((group, f"{group}_a"), (f"{group}_a", f"{group}_b"), (f"{group}_b", f"{group}_a")):
        before = read_rings(file)[DATABASE][0]
        assert login_of(before)[0] == old and engine.connect().close() is None
        traffic = Traffic({**callers, "ready": lambda: httpx.get(f"{served.url}/api/readyz")})
        with traffic.flowing():
            made = rotate(served)
            assert made.step is Step.RETIRE and not made.problem, made.problem
            assert opens(before) and logins.sessions(new)["firstuser-api-development"]
            ended = rotations.end_overlap(made.id, "test")
        assert ended.state is State.DONE, ended.problem
        assert traffic.failed == [] and traffic.count > 10
        assert not opens(before) and not logins.sessions(old) and not logins.may_log_in(old)
        assert login_of(read_rings(file)[DATABASE][0])[0] == new
        with engine.connect() as connection:
            as_whom = connection.exec_driver_sql("select session_user, current_user").one()
        assert tuple(as_whom) == (new, group)
        assert {"the old login, just before its end", "the old login is refused"} <= {
            proof["name"] for proof in ended.proofs if proof["ok"]
        }
        values = {login_of(url)[1] for url in (before, read_rings(file)[DATABASE][0])}
        assert not any(value in repr(ended.to_json(datetime.now(UTC))) for value in values)
    engine.dispose()


def test_the_way_back_ends_the_new_login(
    served: Served, file: Path, callers: dict[str, Callable[[], httpx.Response]], admin: psycopg.Connection
) -> None:
    rotations = served.services.rotations
    before = read_rings(file)
    traffic = Traffic(callers)
    with traffic.flowing():
        made = rotate(served)
        after = read_rings(file)[DATABASE][0]
        assert rotations.machine.roll_back(made.id, "test").state is State.ROLLED_BACK
    assert traffic.failed == [] and read_rings(file) == before
    assert opens(before[DATABASE][0]) and not opens(after)
    assert not Logins(admin).sessions(login_of(after)[0])


def test_an_incident_ends_the_old_login_and_its_sessions_at_once(
    served: Served, file: Path, admin: psycopg.Connection
) -> None:
    stolen = read_rings(file)[DATABASE][0]
    with psycopg.connect(stolen, application_name="thief") as thief:
        made = served.services.rotations.rotate(
            DATABASE, mode=Mode.INCIDENT, by="test", shown=False, reason="leaked"
        ).rotation
        assert made.state is State.DONE, made.problem
        with pytest.raises(psycopg.OperationalError):
            thief.execute("select 1")
    assert not opens(stolen)
    assert httpx.get(f"{served.url}/api/healthz").status_code == 200


def test_without_an_administrator_it_says_what_to_do(
    cluster: Cluster, cluster_settings: Settings, tmp_path: Path, file: Path, url: str
) -> None:
    with serving(product_settings(cluster_settings, url, tmp_path), file) as served:
        wait_until_known(served, 1)
        rotations = served.services.rotations
        with pytest.raises(Refused, match="FIRSTUSER_ADMIN_DATABASE_URL") as refusal:
            rotations.rotate(DATABASE, mode=Mode.SCHEDULED, by="test", shown=False)
        assert refusal.value.code == "no_admin_login" and rotations.running(DATABASE) is None
    assert opens(url)
