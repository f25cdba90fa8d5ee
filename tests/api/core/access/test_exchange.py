"""Exchanging codes on the real database: once under any race, many at a time as if each were alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from api.core.access.exchange import Exchanged, Outcome, exchange
from api.core.access.exchange_rules import Attempt, Deny, attempt, s256
from api.core.crypto import Vault
from api.core.presence import service as presence
from api.core.presence.rules import Beat
from api.db.engine import session_scope
from tests.api.core.places import Place, new_place
from tests.codes import IssuedCode, issue
from tests.product import NOW

Exchange = Callable[..., list[Outcome]]
VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def place(engine: Engine, vault: Vault) -> Place:
    with session_scope(engine) as session:
        return new_place(session, vault, "+447700900910")


@pytest.fixture
def code(engine: Engine, place: Place) -> Callable[..., IssuedCode]:
    def issued(**facts: Any) -> IssuedCode:
        with session_scope(engine) as session:
            return issue(session, place.integration_id, NOW, **facts)

    return issued


@pytest.fixture
def exchanging(product_url: str) -> Exchange:
    def run(*attempts: Attempt) -> list[Outcome]:
        return asyncio.run(_connected(product_url, lambda connection: exchange(connection, attempts)))

    return run


async def _connected(
    url: str, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[list[Outcome]]]
) -> list[Outcome]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=0) as connection:
        return await work(connection)


def tried(place: Place, issued: IssuedCode, key: str = "k", seconds: int = 0, **more: Any) -> Attempt:
    facts = {"return_url": None, "code_verifier": None, **more}
    return attempt(place.integration_id, issued.code, key=key, at=NOW + timedelta(seconds=seconds), **facts)


def grants(engine: Engine, issued: IssuedCode) -> Sequence[tuple[str, bool]]:
    query = "select id, revoked_at is null from grants where entry_id = :entry"
    with session_scope(engine) as session:
        return [(row[0], row[1]) for row in session.execute(text(query), {"entry": issued.entry_id})]


def test_a_code_becomes_a_grant(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    issued = code(return_url="https://a.example/", challenge=s256(VERIFIER))
    (given,) = exchanging(tried(place, issued, return_url="https://a.example/", code_verifier=VERIFIER))
    assert isinstance(given, Exchanged)
    assert (given.entry_id, given.external_user_id) == (issued.entry_id, issued.external_user_id)
    assert given.created_at == NOW and given.user_id.startswith("usr_")
    assert grants(engine, issued) == [(given.grant_id, True)]


def test_twenty_four_at_once_one_grant(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    for keys in (range(24), [0] * 24):
        issued = code()
        with ThreadPoolExecutor(24) as pool:
            found = [
                outcome
                for (outcome,) in pool.map(lambda k, i=issued: exchanging(tried(place, i, f"k{k}")), keys)
            ]
        given = [outcome for outcome in found if isinstance(outcome, Exchanged)]
        assert len(grants(engine, issued)) == 1
        assert len({outcome.grant_id for outcome in given}) == 1
        assert len(given) == (1 if len(set(keys)) > 1 else 24)


def test_one_batch_is_as_if_each_were_alone(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    first, second = code(), code()
    again = code(entry=first)
    late = code(lasts=timedelta(0))
    found = exchanging(
        tried(place, first, "a"),
        tried(place, second, "b"),
        tried(place, late, "c"),
        tried(place, again, "d"),
        tried(place, first, "a"),
        tried(place, second, "other"),
    )
    one, two, expired, linked, replayed, reused = found
    assert isinstance(one, Exchanged) and isinstance(two, Exchanged)
    assert replayed == one and isinstance(linked, Exchanged) and linked.grant_id == one.grant_id
    assert isinstance(expired, Deny) and isinstance(reused, Deny)
    assert reused.revokes == two.grant_id
    assert grants(engine, first) == [(one.grant_id, True)]
    assert grants(engine, second) == [(two.grant_id, False)]


def test_a_second_code_after_the_first_grant_ended_gives_a_new_one(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    issued = code()
    (one,) = exchanging(tried(place, issued, "a"))
    exchanging(tried(place, issued, "stolen"))
    (two,) = exchanging(tried(place, code(entry=issued), "b"))
    assert isinstance(one, Exchanged) and isinstance(two, Exchanged)
    assert sorted(grants(engine, issued)) == sorted([(one.grant_id, False), (two.grant_id, True)])


def test_the_end_of_a_grant_is_the_end_of_presence(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    issued = code()
    exchanging(tried(place, issued, "a"))
    row = {"i": place.integration_id, "u": issued.external_user_id, "now": NOW}
    with session_scope(engine) as session:
        session.execute(text("insert into presence values (:i, :u, :now, 'live')"), row)
    exchanging(tried(place, issued, "b"))
    query = "select status from presence where integration_id = :i and external_user_id = :u"
    with session_scope(engine) as session:
        assert session.execute(text(query), row).scalar_one() == "left"


def test_a_heartbeat_that_waited_for_the_end_of_a_grant_brings_nobody_back(
    engine: Engine, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange, product_url: str
) -> None:
    issued = code()
    exchanging(tried(place, issued, "a"))
    who = (place.integration_id, issued.external_user_id)
    beat = Beat(issued.external_user_id, "live", NOW + timedelta(seconds=30))

    def beats() -> tuple[int, int]:
        with psycopg.connect(product_url) as connection:
            return presence.record(connection, place.integration_id, [beat])

    beats()
    row = "from presence where integration_id = %s and external_user_id = %s"
    with psycopg.connect(product_url) as holding, ThreadPoolExecutor(2) as pool:
        holding.execute(f"select {row} for update", who)
        theft = pool.submit(exchanging, tried(place, issued, "b"))
        wait_for_waiting(engine, 1)
        late = pool.submit(beats)
        wait_for_waiting(engine, 2)
        holding.commit()
        assert isinstance(theft.result()[0], Deny) and late.result() == (1, 0)
    with psycopg.connect(product_url) as connection:
        assert connection.execute(f"select status {row}", who).fetchone() == ("left",)


def wait_for_waiting(engine: Engine, count: int) -> None:
    """Until so many wait for a lock."""
    query = text(
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 10
    while True:
        with session_scope(engine) as session:
            if session.execute(query).scalar_one() == count:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_integration_cannot_use_or_spoil_a_code(
    engine: Engine, vault: Vault, place: Place, code: Callable[..., IssuedCode], exchanging: Exchange
) -> None:
    with session_scope(engine) as session:
        other = new_place(session, vault, "+447700900911")
    issued = code()
    assert isinstance(exchanging(tried(other, issued))[0], Deny)
    assert isinstance(exchanging(tried(place, issued))[0], Exchanged)
    (denied,) = exchanging(tried(other, issued))
    assert isinstance(denied, Deny) and denied.revokes is None
    assert [active for _, active in grants(engine, issued)] == [True]
