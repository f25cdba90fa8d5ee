"""The checks on a copy are exact on a busy source, and turn red for exactly what they look for."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api.core.clock import system_clock
from api.core.drills import database, queries, service
from api.core.drills.beacons import cluster_facts, write_beacon, write_fingerprint
from api.core.drills.records import CheckResult, CheckStatus
from api.db import migrate
from api.db.engine import Engine, Session, session_scope


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results}


def fingerprint(engine: Engine) -> None:
    with session_scope(engine) as session:
        write_fingerprint(session, system_clock())


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def digests(engine: Engine) -> dict[str, CheckResult]:
    with Session(engine) as session:
        return by_name(database.digests(session, system_clock()))


def test_rows_that_came_or_changed_after_the_fingerprint_do_not_disturb_it(engine: Engine) -> None:
    with Session(engine) as slow:  # a writer that was under way, and commits after the fingerprint
        slow.execute(
            text(
                "INSERT INTO entries (id, space_id, integration_id, external_user_id, referral_code,"
                " ordinal, rank) VALUES ('wle_slow', 'spc_1', 'int_1', 'slow', 'slow', 51, 51)"
            )
        )
        fingerprint(engine)
        slow.commit()
    run(engine, "UPDATE entries SET status = 'rejected', decided_at = now() WHERE id = 'wle_7'")
    run(
        engine,
        "INSERT INTO entries (id, space_id, integration_id, external_user_id, referral_code, ordinal, rank)"
        " VALUES ('wle_new', 'spc_1', 'int_1', 'new', 'new', 52, 52)",
    )
    results = digests(engine)
    assert {result.status for result in results.values()} == {CheckStatus.PASS}
    assert results["digest:entries"].expected.startswith("50 rows")


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("DELETE FROM grants WHERE id = 'grt_3'", "digest:grants"),
        ("UPDATE entries SET external_user_id = 'else' WHERE id = 'wle_3'", "digest:entries"),
        ("DROP TABLE grants", "digest:grants"),
        ("CREATE ROLE firstuser_drill_test_intruder", "cluster_facts"),
        ("UPDATE alembic_version SET version_num = 'older'", "cluster_facts"),
    ],
)
def test_each_damage_turns_exactly_its_check_red(engine: Engine, damage: str, check: str) -> None:
    fingerprint(engine)
    run(engine, damage)
    try:
        red = {name for name, result in digests(engine).items() if not result.ok}
    finally:
        run(engine, "DROP ROLE IF EXISTS firstuser_drill_test_intruder")
    assert red == {check}


@pytest.mark.parametrize("role", ["shop", "firstuser_app"])
def test_a_login_that_was_rotated_since_is_no_difference_whatever_its_role(engine: Engine, role: str) -> None:
    with Session(engine) as session:
        session.execute(text("CREATE ROLE shop LOGIN"))
        before = cluster_facts(session, role)
        session.execute(text("ALTER ROLE shop NOLOGIN"))
        session.execute(text("CREATE ROLE shop_a LOGIN"))
        found = database.facts(before, cluster_facts(session, role))
    assert found.ok is (role == "shop"), "of another role's logins it is one"


def test_the_beacon_records_as_whom_the_product_works(engine: Engine) -> None:
    with Session(engine) as session:
        facts = cluster_facts(session)
        assert facts["app_role"] == session.execute(text("SELECT session_user")).scalar_one()
        old = {name: value for name, value in facts.items() if name != "app_role"}
        assert database.facts(old, facts).ok, "fingerprints of before do not say it"


def test_without_a_fingerprint_the_digests_are_red_and_not_silent(engine: Engine) -> None:
    assert not digests(engine)["digests"].ok


def test_the_canary_tells_the_rpo_and_refuses_an_overshoot(engine: Engine) -> None:
    now = system_clock()
    for age in (10, 5, 0):
        with session_scope(engine) as session:
            write_beacon(session, "ada", now - timedelta(seconds=age))
    target = now + timedelta(seconds=1)
    with Session(engine) as session:
        good = database.canary(session, target, None)
        assert good.result.ok
        assert good.seconds_before(target) == 1.0
        overshot = database.canary(session, now - timedelta(seconds=7), None)
        assert not overshot.result.ok
        late = service.beacon(queries.beacons_between(session, now, now, 1)[0])
        assert not database.canary(session, target, late).result.ok
        stale = database.canary(session, target + timedelta(hours=1), None)
        assert not stale.result.ok


def test_no_beacon_at_all_is_red(engine: Engine) -> None:
    with Session(engine) as session:
        found = database.canary(session, system_clock(), None)
    assert not found.result.ok
    assert found.seconds_before(system_clock()) is None


def test_a_sequence_behind_its_column_is_red(engine: Engine) -> None:
    with Session(engine) as session:
        assert database.sequences(session).ok
    run(engine, "ALTER SEQUENCE entries_seq_seq RESTART WITH 5")
    with Session(engine) as session:
        session.execute(text("SELECT nextval('entries_seq_seq')"))
        behind = database.sequences(session)
    assert not behind.ok
    assert "public.entries.seq holds 50" in behind.observed


def test_another_collation_version_is_red(engine: Engine) -> None:
    with Session(engine) as session:
        assert database.collations(session).ok
        session.execute(
            text("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()")
        )
        assert "recorded 0" in database.collations(session).observed


def test_migration_head_and_checksums(engine: Engine) -> None:
    with Session(engine) as session:
        assert database.migration_head(session, migrate.head()).ok
        assert not database.migration_head(session, "9999_future").ok
        assert database.migration_head(session, "0001_before").ok, "a release was gone back from"
        assert database.checksums(session).ok


def test_a_beacon_of_a_damaged_source_still_beats(engine: Engine) -> None:
    run(engine, "DROP TABLE grants")
    with session_scope(engine) as session:
        write_beacon(session, "ada", system_clock())
    with Session(engine) as session:
        newest = queries.newest_beacon(session)
        assert newest is not None
        assert newest.sample == {}
