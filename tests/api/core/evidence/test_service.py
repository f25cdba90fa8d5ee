"""The ledger in a real database, as the application's own role: it can add at the end and nothing else."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from api.core.errors import Refused
from api.core.evidence import exports, keyring, offline, service
from api.core.evidence.signing import SigningKey, sign_with
from api.core.evidence.trust import CHECKPOINTS, STREAM
from api.db.engine import Engine, Session, make_engine, session_scope
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from tests.api.core.evidence.ledgers import FIRST, SECOND, STRANGER
from tests.product import NOW, new_database

FORBIDDEN = [
    "UPDATE ops.evidence SET kind = 'x'",
    "DELETE FROM ops.evidence",
    "TRUNCATE ops.evidence",
    "ALTER TABLE ops.evidence DISABLE TRIGGER USER",
    "ALTER TABLE ops.evidence DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "DROP TABLE ops.evidence",
    "DROP TRIGGER evidence_is_append_only ON ops.evidence",
    "CREATE OR REPLACE FUNCTION ops.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
    "MERGE INTO ops.evidence e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO ops.evidence SELECT * FROM ops.evidence ON CONFLICT (id) DO UPDATE SET kind = 'x'",
]


class Keyholder:
    """The key that writers have; tests change it as a rotation does."""

    def __init__(self) -> None:
        self.key: SigningKey | None = FIRST

    def __call__(self) -> SigningKey | None:
        return self.key


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return urlsplit(new_database(cluster)).path.strip("/")


@pytest.fixture
def holder() -> Keyholder:
    return Keyholder()


@pytest.fixture
def app(cluster: Cluster, url: str, holder: Keyholder) -> Iterator[Engine]:
    """Writers of an empty ledger, connected as the application is."""
    with psycopg.connect(cluster.dsn(roles.ADMIN, url), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("TRUNCATE ops.evidence")
    made = make_engine(cluster.dsn(roles.APP, url))
    sign_with(made, holder)
    yield made
    made.dispose()


def write(app: Engine, stream: str = "drills", count: int = 3) -> list[str]:
    with session_scope(app) as session:
        return [service.append(session, stream, "drill", {"n": n}, NOW) for n in range(count)]


def audit(app: Engine, *trusted: str) -> list[str]:
    with session_scope(app) as session:
        return [str(fault) for fault in service.audit(session, trusted).every_fault()]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_application_may_add_and_nothing_else(
    cluster: Cluster, url: str, app: Engine, statement: str
) -> None:
    write(app)
    with psycopg.connect(cluster.dsn(roles.APP, url)) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())
        connection.rollback()
        connection.execute("SELECT count(*) FROM ops.evidence")
    assert audit(app, FIRST.id) == []


@pytest.mark.parametrize("role", [roles.OWNER, roles.ADMIN])
@pytest.mark.parametrize("statement", FORBIDDEN[:3])
def test_the_owner_is_stopped_by_a_trigger(
    cluster: Cluster, url: str, app: Engine, role: str, statement: str
) -> None:
    write(app)
    with (
        psycopg.connect(cluster.dsn(role, url)) as connection,
        pytest.raises(errors.RaiseException, match="append-only"),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_record_is_taken_at_the_end_of_its_stream_alone(
    cluster: Cluster, url: str, app: Engine, seq: int
) -> None:
    write(app)
    with (
        psycopg.connect(cluster.dsn(roles.APP, url)) as connection,
        pytest.raises(errors.RaiseException, match="is a chain"),
    ):
        connection.execute(
            "INSERT INTO ops.evidence (id, stream, seq, kind, recorded_at, body, previous_hash, hash)"
            " VALUES ('evd_x', 'drills', %s, 'drill', now(), '{}', repeat('0', 64), 'x')",
            (seq,),
        )


def test_what_is_written_is_signed_and_verifies_online_and_as_an_export(app: Engine) -> None:
    write(app)
    write(app, "rotations", 2)
    with session_scope(app) as session:
        assert service.checkpoint(session, NOW)
        assert service.checkpoint(session, NOW) is None  # nothing has come since
        assert all(record.key_id == FIRST.id for record in service.records(session, "drills"))
        assert service.verify(session, "drills") is None
        report = service.audit(session, [FIRST.id])
        export = service.export(session)
    assert report.whole
    assert [stream.stream for stream in report.streams] == [STREAM, CHECKPOINTS, "drills", "rotations"]
    for form in exports.FORMS:
        assert offline.verify(exports.render(export, form), [FIRST.id]).whole


TAMPERING = {
    "UPDATE ops.evidence SET body = '{}' WHERE stream = 'drills' AND seq = 2": "(record 2) was changed",
    "UPDATE ops.evidence SET signature = repeat('0', 128) WHERE seq = 2": "the signature of",
    "UPDATE ops.evidence SET signature = NULL, key_id = NULL WHERE seq = 2": "(record 2) is not signed",
    "DELETE FROM ops.evidence WHERE stream = 'drills' AND seq = 2": "record 2 is missing before",
    "DELETE FROM ops.evidence WHERE stream = 'drills' AND seq = 3": "record 3 is missing from the end",
    "DELETE FROM ops.evidence WHERE stream = 'drills'": "records 1 to 3 are missing from the end",
    "UPDATE ops.evidence SET recorded_at = now() WHERE seq = 3": "(record 3) was changed",
    "DELETE FROM ops.evidence WHERE stream = 'signing-keys'": "is not in the chain of keys",
    "DELETE FROM ops.evidence WHERE stream = 'signing-keys' OR signature IS NOT NULL": "is not in the chain",
}


@pytest.mark.parametrize("statement", TAMPERING)
def test_whoever_gets_past_the_database_is_found_out(
    cluster: Cluster, url: str, app: Engine, statement: str
) -> None:
    write(app)
    with session_scope(app) as session:
        service.checkpoint(session, NOW)
    with psycopg.connect(cluster.dsn(roles.ADMIN, url), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(statement.encode())
    found = audit(app, FIRST.id)
    assert any(TAMPERING[statement] in fault for fault in found), found


def test_a_ledger_cut_back_with_its_checkpoints_misses_what_an_older_export_has_seen(
    cluster: Cluster, url: str, app: Engine
) -> None:
    write(app)
    with session_scope(app) as session:
        older = exports.render(service.export(session), "json")
    with psycopg.connect(cluster.dsn(roles.ADMIN, url), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("DELETE FROM ops.evidence WHERE stream = 'drills' AND seq > 1")
    assert audit(app, FIRST.id) == []  # nothing inside can tell
    with session_scope(app) as session:
        report = service.audit(session, [FIRST.id], offline.heads(older))
    assert ["records 2 to 3 are missing" in str(fault) for fault in report.every_fault()] == [True]


def test_keys_follow_one_another(app: Engine, holder: Keyholder) -> None:
    write(app, count=1)
    with session_scope(app) as session:
        assert keyring.endorse(session, SECOND, FIRST, NOW)
        assert not keyring.endorse(session, SECOND, FIRST, NOW)  # killed and started again
    write(app, count=1)  # a process that has not heard of it yet
    holder.key = SECOND
    write(app, count=1)
    with session_scope(app) as session:
        with pytest.raises(Refused, match="cannot be retired"):
            keyring.retire(session, SECOND.id, SECOND, NOW)
        assert keyring.retire(session, FIRST.id, SECOND, NOW)
        assert not keyring.retire(session, FIRST.id, SECOND, NOW)
        with pytest.raises(Refused, match="does not take"):
            keyring.endorse(session, STRANGER, FIRST, NOW)
    assert audit(app, FIRST.id) == [] == audit(app, SECOND.id)
    holder.key = FIRST
    write(app, count=1)
    assert any("after that was retired" in fault for fault in audit(app, SECOND.id))


def test_what_came_before_the_key_stays_good_and_what_comes_without_it_later_does_not(
    app: Engine, holder: Keyholder
) -> None:
    holder.key = None
    write(app, count=2)
    assert audit(app) == []
    holder.key = FIRST
    write(app, count=1)
    assert audit(app, FIRST.id) == []
    holder.key = None
    write(app, count=1)
    assert any("(record 4) is not signed" in fault for fault in audit(app, FIRST.id))


def test_writers_of_one_stream_queue_and_all_of_it_verifies(app: Engine) -> None:
    threads = [threading.Thread(target=write, args=(app, "drills", 5)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with session_scope(app) as session:
        assert [record.seq for record in service.records(session, "drills")] == list(range(1, 21))
        assert len(service.records(session, STREAM)) == 1  # four beginnings, one key
    assert audit(app, FIRST.id) == []


def test_what_is_rolled_back_was_never_there(app: Engine) -> None:
    with Session(app) as session:
        service.append(session, "drills", "drill", {}, NOW)
    assert audit(app) == []
    write(app)
    assert audit(app, FIRST.id) == []


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
letters = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    leaves | letters, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3)
)


@given(st.dictionaries(letters, values, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_recorded_verifies_again(session: Session, body: dict[str, Any]) -> None:
    """JSON as the database writes it: 1e22, -0.0 and their like."""
    service.append(session, "strange", "any", body, NOW + timedelta(microseconds=1))
    assert service.verify(session, "strange") is None
    streams = {"strange": service.records(session, "strange")}
    for form in exports.FORMS:
        made = exports.render(exports.make(streams, None), form)
        assert [str(f) for f in offline.verify(made).every_fault()] == [
            "(manifest): it is not signed: where streams end is anybody's word"
        ]
