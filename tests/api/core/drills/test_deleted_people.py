"""A deletion between a fingerprint and the target is accounted for exactly, any other missing row is a loss;
a copy forgets whom the source has forgotten."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from api.core.clock import system_clock
from api.core.drills import database
from api.core.drills.beacons import removed_since, write_beacon, write_fingerprint
from api.core.privacy import tombstones
from api.db.engine import Engine, Session, make_engine, session_scope
from tests.api.core.privacy.people import found

TALK = """
INSERT INTO conversations (id, space_id, entry_id) SELECT 'cnv_' || n, 'spc_1', 'wle_' || n
    FROM generate_series(1, 9) n;
INSERT INTO messages (id, conversation_id, seq, sender, client_id, text)
    SELECT 'msg_' || n || '_' || m, 'cnv_' || n, m, 'user', m, 'word ' || m
      FROM generate_series(1, 9) n, generate_series(1, 3) m;
"""


@pytest.fixture
def engine(engine: Engine) -> Engine:
    run(engine, TALK)
    return engine


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def fingerprint(engine: Engine) -> None:
    with session_scope(engine) as session:
        write_fingerprint(session, system_clock())


def forget(engine: Engine, number: int) -> None:
    with session_scope(engine) as session:
        user = session.execute(text(f"SELECT user_id FROM entries WHERE id = 'wle_{number}'")).scalar_one()  # noqa: S608
        assert tombstones.forget(session, user, by="fnd_1", at=system_clock())


def red(engine: Engine) -> set[str]:
    with Session(engine) as session:
        return {result.name for result in database.digests(session, system_clock()) if not result.ok}


def test_deletions_since_the_fingerprint_do_not_turn_it_red(engine: Engine) -> None:
    forget(engine, 1)  # before: not counted
    fingerprint(engine)
    for number in (2, 25, 45):  # with a conversation; with a grant; with neither
        forget(engine, number)
    run(
        engine,
        "INSERT INTO entries (id, space_id, integration_id, external_user_id, referral_code, ordinal, rank)"
        " VALUES ('wle_99', 'spc_1', 'int_1', 'new', 'new', 99, 99)",
    )
    forget(engine, 99)  # came and went: never counted
    assert red(engine) == set()


@pytest.mark.parametrize(
    ("loss", "check"),
    [
        ("DELETE FROM entries WHERE id = 'wle_30'", {"digest:entries"}),
        ("DELETE FROM grants WHERE id = 'grt_3'", {"digest:grants"}),
        ("DELETE FROM messages WHERE id = 'msg_3_2'", {"digest:messages"}),
        ("UPDATE messages SET text = 'other' WHERE id = 'msg_3_2'", {"digest:messages"}),
        (
            "UPDATE tombstones SET removed = '{}'",
            {"digest:entries", "digest:grants", "digest:conversations", "digest:messages"},
        ),
        (
            "DELETE FROM tombstones",
            {
                "digest:entries",
                "digest:grants",
                "digest:conversations",
                "digest:messages",
                "digest:tombstones",
            },
        ),
    ],
)
def test_a_loss_beside_a_deletion_is_still_a_loss(engine: Engine, loss: str, check: set[str]) -> None:
    forget(engine, 1)
    fingerprint(engine)
    forget(engine, 2)
    run(engine, loss)
    assert red(engine) == check


def test_a_deletion_that_was_under_way_at_the_fingerprint(engine: Engine) -> None:
    with session_scope(engine) as slow:
        user = slow.execute(text("SELECT user_id FROM entries WHERE id = 'wle_2'")).scalar_one()
        tombstones.forget(slow, user, by="fnd_1", at=system_clock())
        fingerprint(engine)
    assert red(engine) == set()


def test_hashes_go_when_no_copy_can_need_them(engine: Engine) -> None:
    """Two fingerprints and a beacon later; a copy that holds the first of them is still exact."""

    def kept() -> int:
        with Session(engine) as session:
            return session.execute(text("SELECT count(*) FROM tombstones WHERE removed <> '{}'")).scalar_one()

    fingerprint(engine)
    forget(engine, 2)
    steps: list[Callable[[], None]] = [
        lambda: None, lambda: beat(engine), lambda: fingerprint(engine), lambda: fingerprint(engine),
    ]  # fmt: skip
    seen: list[int] = []
    for step in steps:
        step()
        assert red(engine) == set()
        seen.append(kept())
    assert seen == [1, 1, 1, 0]


def beat(engine: Engine) -> None:
    with session_scope(engine) as session:
        write_beacon(session, "ada", system_clock())


def test_the_numbers_of_a_space_allow_for_deletions_since_the_beacon(engine: Engine) -> None:
    with session_scope(engine) as session:
        snapshot = session.execute(text("SELECT pg_current_snapshot()::text")).scalar_one()
    forget(engine, 2)
    forget(engine, 45)
    with Session(engine) as session:
        assert removed_since(session, "spc_1", snapshot) == {"entries": 2, "grants": 1}
        assert removed_since(session, "spc_2", snapshot) == {"entries": 0, "grants": 0}


@contextmanager
def restored(engine: Engine) -> Iterator[Engine]:
    """A copy of the database as it is now."""
    source, name = engine.url.database, f"{engine.url.database}_copy"
    admin = make_engine(engine.url.set(database="postgres").render_as_string(hide_password=False))
    autocommit = admin.execution_options(isolation_level="AUTOCOMMIT")
    engine.dispose()
    with autocommit.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {source}"))
    copy = make_engine(engine.url.set(database=name).render_as_string(hide_password=False))
    try:
        yield copy
    finally:
        copy.dispose()
        with autocommit.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def test_a_copy_forgets_whom_the_source_forgot_as_often_as_it_is_told(engine: Engine) -> None:
    run(engine, "UPDATE entries SET external_user_id = 'someone-special' WHERE id = 'wle_2'")
    run(engine, "UPDATE grants SET external_user_id = 'someone-special' WHERE entry_id = 'wle_2'")
    forget(engine, 1)
    with restored(engine) as copy:
        forget(engine, 2)
        forget(engine, 3)
        with Session(copy) as session:
            assert found(session, ["someone-special"])
        for back in (2, 0):
            with Session(engine) as source, session_scope(copy) as session:
                assert tombstones.replay(source, session) == (3, back, 0)
        with Session(copy) as session, Session(engine) as source:
            assert found(session, ["someone-special"]) == {}
            stones = "SELECT user_id, entry_id, space_id, deleted_at, deleted_by FROM tombstones ORDER BY 1"
            assert session.execute(text(stones)).all() == source.execute(text(stones)).all()
            assert session.execute(text("SELECT count(*) FROM entries")).scalar_one() == 47


def test_samples_of_beacons_name_nobody(engine: Engine) -> None:
    beat(engine)
    with Session(engine) as session:
        sample = session.execute(text("SELECT sample FROM ops.beacons")).scalar_one()
    assert {tuple(sorted(row)) for row in sample["live"]} == {("last_seen", "status", "user_id")}
    assert len(sample["live"]) == 10
