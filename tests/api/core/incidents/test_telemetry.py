"""Telemetry: nothing is counted twice or lost, silence is not zero, and the future waits for its time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.incidents import telemetry
from api.core.incidents.exchange_rate import Bucket
from api.core.incidents.pace import MINUTE, Pace, newest_closed
from api.core.incidents.readiness import Outcome, Probe
from api.core.incidents.tally import EVERYBODY, Count, Tally
from api.core.incidents.telemetry import Instance
from tests.api.core.places import new_place
from tests.product import NOW


def clean(session: Session) -> None:
    session.execute(text("truncate exchange_minutes, exchange_quarantine, readiness_probes, api_instances"))


@pytest.fixture
def db(session: Session) -> Session:
    clean(session)
    return session


def written(db: Session, until: datetime = NOW) -> dict[str, list[Bucket | None]]:
    found = telemetry.series(db, NOW - timedelta(hours=2), until).series
    return {scope: list(buckets) for scope, buckets in found.items()}


def test_a_minute_is_closed_half_a_minute_after_its_end() -> None:
    assert newest_closed(NOW + timedelta(seconds=89)) == NOW - MINUTE
    assert newest_closed(NOW + timedelta(seconds=90)) == NOW


def test_a_rehearsals_clock_runs_faster_from_its_origin_on() -> None:
    pace = Pace(NOW, 20)
    later = NOW + timedelta(seconds=33)
    assert pace.at(later) == NOW + timedelta(minutes=11)
    assert pace.minute(later.timestamp()) == Pace().minute((NOW + timedelta(minutes=11)).timestamp())
    assert Pace().at(later) == later


class Clocked:
    """A tally whose clock is moved by hand."""

    def __init__(self) -> None:
        self.seconds = NOW.timestamp()
        self.tally = Tally(Pace().minute, lambda: self.seconds)


@given(st.lists(st.sampled_from(["ok a", "ok b", "bad a", "tick", "write", "lose"]), max_size=60))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_counted_is_what_is_written_however_often(db: Session, did: list[str]) -> None:
    """`lose`: written down, and the answer that it was got lost: it is written once more."""
    clean(db)
    counting = Clocked()
    expected: dict[tuple[int, str], list[int]] = {}
    for step in [*did, "write"]:
        what, _, who = step.partition(" ")
        if what in ("ok", "bad"):
            counted = expected.setdefault((int(counting.seconds) // 60, who), [0, 0])
            counted[0] += what == "bad"
            counted[1] += 1
            (counting.tally.failed if what == "bad" else counting.tally.succeeded)(who)
        elif what == "tick":
            counting.seconds += 20
        else:
            due = counting.tally.due()
            telemetry.record(db, "one", due, datetime.fromtimestamp(counting.seconds, UTC))
            if what == "write":
                counting.tally.settle(due)
    rows = db.execute(text("select minute, integration_id, failed, attempted from exchange_minutes"))
    found = {
        (int(row.minute.timestamp()) // 60, row.integration_id): [row.failed, row.attempted] for row in rows
    }
    assert {key: counts for key, counts in found.items() if key[1]} == expected
    assert not [count for count in counting.tally.due() if count.integration_id]


def test_a_minute_that_nobody_watched_is_missing_and_one_without_attempts_is_not(db: Session) -> None:
    telemetry.record(db, "one", [Count(NOW - 3 * MINUTE, "int_a", 1, 2)], NOW)
    telemetry.record(db, "two", [Count(NOW - 3 * MINUTE, "int_b", 0, 3)], NOW)
    telemetry.record(db, "two", [Count(NOW - 1 * MINUTE, EVERYBODY, 0, 0)], NOW)
    assert written(db, NOW) == {
        EVERYBODY: [Bucket(1, 5), None, Bucket(0, 0), None],
        "int_a": [Bucket(1, 2), None, Bucket(0, 0), None],
        "int_b": [Bucket(0, 3), None, Bucket(0, 0), None],
    }


def test_attempts_of_nobody_known_are_the_services(db: Session) -> None:
    telemetry.record(db, "one", [Count(NOW, EVERYBODY, 2, 2), Count(NOW, "int_a", 0, 1)], NOW)
    assert written(db)[EVERYBODY] == [Bucket(2, 3)]


def test_a_counter_that_decreases_began_anew(db: Session) -> None:
    for failed, attempted in [(1, 10), (2, 30), (1, 4), (1, 5)]:
        telemetry.record(db, "one", [Count(NOW, "int_a", failed, attempted)], NOW)
    assert written(db)["int_a"] == [Bucket(3, 35)]


def test_the_future_is_quarantined_counted_and_never_judged(db: Session) -> None:
    ahead = NOW + 5 * MINUTE
    assert telemetry.record(db, "one", [Count(ahead, "int_a", 9, 9), Count(NOW, "int_a", 0, 1)], NOW) == 1
    assert telemetry.quarantined(db, NOW - MINUTE) == 1
    assert written(db, ahead)["int_a"][0] == Bucket(0, 1)
    assert written(db, ahead)["int_a"][1:] == [None] * 5
    telemetry.record(db, "one", [Count(ahead, "int_a", 9, 9)], ahead)
    assert written(db, ahead)["int_a"][-1] == Bucket(9, 9), "its time has come"


def test_synthetic_traffic_counts_for_nothing(db: Session, vault: Vault) -> None:
    place = new_place(db, vault)
    db.execute(text("update spaces set synthetic = true where id = :id"), {"id": place.space_id})
    telemetry.record(db, "one", [Count(NOW, place.integration_id, 5, 5), Count(NOW, "int_a", 0, 1)], NOW)
    assert written(db) == {EVERYBODY: [Bucket(0, 1)], "int_a": [Bucket(0, 1)]}


def test_probes_are_kept_once(db: Session) -> None:
    seen = [Probe(NOW + timedelta(seconds=10 * place), Outcome.FAIL, "no answer") for place in range(3)]
    telemetry.add_probes(db, seen)
    telemetry.add_probes(db, seen)
    assert telemetry.probes(db, NOW, NOW + timedelta(seconds=15)) == seen[:2]


def test_processes_come_and_go(db: Session) -> None:
    one = Instance("one", "1.0", "dep_1", "abc", NOW)
    telemetry.beat(db, one)
    telemetry.beat(db, Instance("two", "1.0", "dep_1", "abc", NOW - 2 * telemetry.GONE_AFTER))
    assert telemetry.instances(db, NOW) == [one]
    telemetry.leave(db, "one")
    assert telemetry.instances(db, NOW) == []
