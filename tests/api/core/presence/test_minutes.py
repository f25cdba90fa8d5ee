"""Live users minute by minute: counted once, read back without inventing anything."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.presence import minutes
from api.db.engine import driver_connection
from tests.api.core.places import new_place
from tests.product import NOW

MINUTE = timedelta(minutes=1)


@pytest.fixture
def integration_id(session: Session, vault: Vault) -> str:
    return new_place(session, vault).integration_id


def seen(session: Session, integration_id: str, user: str, ago: int, status: str = "live") -> None:
    session.execute(
        text("insert into presence values (:i, :u, :at, :s)"),
        {"i": integration_id, "u": user, "at": NOW - timedelta(seconds=ago), "s": status},
    )


def test_a_minute_counts_those_within_the_window_once(session: Session, integration_id: str) -> None:
    seen(session, integration_id, "in", 10)
    seen(session, integration_id, "long gone", 91)
    seen(session, integration_id, "left", 5, "left")
    connection = driver_connection(session)
    assert minutes.sample(connection, NOW, 90) >= 1
    seen(session, integration_id, "late", 1)
    assert minutes.sample(connection, NOW + timedelta(seconds=20), 90) == 0
    assert minutes.series(connection, [integration_id], NOW, 5 * MINUTE) == [(NOW, 1)]
    assert minutes.sample(connection, NOW + MINUTE, 90) >= 1
    later = minutes.series(connection, [integration_id], NOW + MINUTE, 5 * MINUTE)
    assert later == [(NOW, 1), (NOW + MINUTE, 2)]


def test_slots_hold_the_most_at_once_over_all_integrations(session: Session, vault: Vault) -> None:
    one, two = new_place(session, vault), new_place(session, vault, "+447700900901")
    for at, live in ((1, 3), (2, 5), (12, 1)):
        for place in (one, two):
            session.execute(
                text("insert into presence_minutes values (:i, :m, :n)"),
                {"i": place.integration_id, "m": NOW - timedelta(minutes=at), "n": live},
            )
    series = minutes.series(
        driver_connection(session),
        [one.integration_id, two.integration_id],
        NOW,
        timedelta(minutes=30),
        timedelta(minutes=10),
    )
    assert [number for _, number in series] == [2, 10]
    assert minutes.series(driver_connection(session), [], NOW, timedelta(hours=1)) == []


def test_after_thirty_days_a_minute_goes(session: Session, integration_id: str) -> None:
    for days in (29, 31):
        session.execute(
            text("insert into presence_minutes values (:i, :m, 1)"),
            {"i": integration_id, "m": NOW - timedelta(days=days)},
        )
    connection = driver_connection(session)
    assert minutes.prune(connection, NOW) >= 1
    assert len(minutes.series(connection, [integration_id], NOW, timedelta(days=60))) == 1


@pytest.fixture
def committed(engine: Engine, vault: Vault) -> Iterator[str]:
    with Session(engine) as session, session.begin():
        place = new_place(session, vault, "+447700900903")
    yield place.integration_id
    with Session(engine) as session, session.begin():
        session.execute(text("delete from presence_minutes"))


def test_of_many_processes_one_writes_the_minute(engine: Engine, committed: str) -> None:
    def sample(_: int) -> int:
        with Session(engine) as session, session.begin():
            return minutes.sample(driver_connection(session), NOW, 90)

    with ThreadPoolExecutor(4) as pool:
        written = [rows for rows in pool.map(sample, range(8)) if rows]
    assert len(written) == 1
