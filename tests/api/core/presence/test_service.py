"""Presence on the real database: idempotent, ordered, exact at the edge of the window."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.access.models import Grant
from api.core.crypto import Vault
from api.core.ids import new_id
from api.core.presence import service
from api.core.presence.rules import Beat
from api.db.engine import driver_connection, session_scope
from tests.api.core.places import Place, new_place
from tests.product import NOW


def admit(session: Session, vault: Vault, place: Place, *users: str) -> None:
    for user in users:
        waitlist.join(session, vault, place.integration_id, user, NOW)
    for entry in waitlist.oldest_waiting(session, place.integration_id, len(users)):
        waitlist.accept(session, entry, NOW)
        session.add(
            Grant(
                id=new_id("grt"),
                integration_id=place.integration_id,
                entry_id=entry.id,
                external_user_id=entry.external_user_id,
                created_at=NOW,
            )
        )
    session.flush()


@pytest.fixture
def place(session: Session, vault: Vault) -> Place:
    made = new_place(session, vault)
    admit(session, vault, made, "anna", "ben", "chen")
    return made


def live(session: Session, place: Place, now: datetime) -> list[str]:
    page = service.live(driver_connection(session), [place.integration_id], now, 90)
    assert page.count == len(page.users)
    return [user.external_user_id for user in page.users]


def beat(session: Session, place: Place, *beats: Beat) -> tuple[int, int]:
    return service.record(driver_connection(session), place.integration_id, beats)


def test_only_people_with_a_grant_count(session: Session, place: Place) -> None:
    assert beat(session, place, Beat("anna", "live", NOW), Beat("stranger", "live", NOW)) == (1, 1)
    assert live(session, place, NOW) == ["anna"]


def test_who_left_is_not_live_and_a_late_beat_changes_nothing(session: Session, place: Place) -> None:
    beat(session, place, Beat("anna", "left", NOW))
    beat(session, place, Beat("anna", "live", NOW - timedelta(seconds=10)))
    assert live(session, place, NOW) == []
    beat(session, place, Beat("anna", "live", NOW + timedelta(seconds=1)))
    assert live(session, place, NOW + timedelta(seconds=1)) == ["anna"]


def test_the_window_ends_exactly_after_ninety_seconds(session: Session, place: Place) -> None:
    beat(session, place, Beat("anna", "live", NOW))
    assert live(session, place, NOW + timedelta(seconds=89.9)) == ["anna"]
    assert live(session, place, NOW + timedelta(seconds=90)) == []


def test_who_has_been_silent_for_long_is_written_down_as_left_and_comes_back(
    session: Session, place: Place
) -> None:
    beat(session, place, Beat("anna", "live", NOW), Beat("ben", "live", NOW + timedelta(seconds=1)))
    connection = driver_connection(session)
    silent = NOW + service.SILENT + timedelta(seconds=90)
    assert service.leave_silently(connection, silent - timedelta(seconds=1), 90) == 0
    assert service.leave_silently(connection, silent, 90) == 1
    assert service.leave_silently(connection, silent, 90) == 0
    kept = session.execute(
        text("select external_user_id, status, last_seen from presence where integration_id = :i order by 1"),
        {"i": place.integration_id},
    )
    assert list(kept) == [("anna", "left", NOW), ("ben", "live", NOW + timedelta(seconds=1))]
    beat(session, place, Beat("anna", "live", silent))
    assert live(session, place, silent) == ["anna"]


def test_who_is_being_written_at_this_moment_is_passed_by(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900902")
        for user in ("anna", "ben"):
            session.execute(
                text("insert into presence values (:i, :u, :at, 'live')"),
                {"i": place.integration_id, "u": user, "at": NOW},
            )
    later = NOW + timedelta(days=1)
    with session_scope(engine) as beating, session_scope(engine) as sweeping:
        beating.execute(
            text(
                "update presence set last_seen = :at where integration_id = :i and external_user_id = 'anna'"
            ),
            {"at": later, "i": place.integration_id},
        )
        sweeping.execute(text("set local lock_timeout = '2s'"))
        assert service.leave_silently(driver_connection(sweeping), later, 90) >= 1
    with session_scope(engine) as session:
        assert live(session, place, later) == ["anna"]
        assert service.leave_silently(driver_connection(session), later, 90) == 0


def test_a_beat_of_somebody_live_writes_no_index(session: Session, place: Place) -> None:
    beat(session, place, Beat("anna", "live", NOW))
    of_this_transaction = text(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'presence'"
    )
    before = session.execute(of_this_transaction).one()
    beat(session, place, Beat("anna", "live", NOW + timedelta(seconds=30)))
    after = session.execute(of_this_transaction).one()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def test_looking_for_the_live_passes_nobody_who_left(session: Session, place: Place) -> None:
    session.execute(
        text("insert into presence select :i, 'gone' || n, :at, 'left' from generate_series(1, 5000) n"),
        {"i": place.integration_id, "at": NOW},
    )
    beat(session, place, Beat("anna", "live", NOW))
    session.execute(text("analyze presence"))
    explained = session.execute(
        text(
            "explain (analyze, format json) select count(*) from presence"
            " where integration_id = any(:i) and status = 'live' and last_seen > :since"
        ),
        {"i": [place.integration_id], "since": NOW - timedelta(seconds=90)},
    ).scalar_one()
    assert "ix_presence_live" in str(explained) and "'Rows Removed by Filter': 5" not in str(explained)


def test_pages_hold_everyone_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    users = [f"u{number:02d}" for number in range(25)]
    admit(session, vault, place, *users)
    beat(session, place, *[Beat(user, "live", NOW) for user in users])
    seen: list[str] = []
    after: tuple[str, str] | None = service.FIRST
    while after is not None:
        page = service.live(driver_connection(session), [place.integration_id], NOW, 90, after, 10)
        assert page.count == 25
        seen += [user.external_user_id for user in page.users]
        after = page.next_after
    assert seen == users


def test_heartbeats_in_opposite_order_do_not_deadlock(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900901")
        users = [f"u{number:02d}" for number in range(50)]
        admit(session, vault, place, *users)

    def writer(names: list[str]) -> None:
        for second in range(20):
            with session_scope(engine) as own:
                beat(own, place, *[Beat(name, "live", NOW + timedelta(seconds=second)) for name in names])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(writer, [users, users[::-1]] * 2))
    with session_scope(engine) as session:
        newest = session.execute(
            text("select min(last_seen) from presence where integration_id = :i"), {"i": place.integration_id}
        ).scalar_one()
        assert newest == NOW + timedelta(seconds=19)
