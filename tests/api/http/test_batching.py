"""Requests that share a statement: each gets its own answer, whatever happens to the others."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, DataError, OperationalError
from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.clock import system_clock
from api.core.presence.rules import Beat
from api.db.engine import make_engine, session_scope
from api.db.hot import HotConnections
from api.http.batching import Batches
from api.http.hot_calls import HotCalls
from api.http.live_counts import LiveCounts
from api.settings import Settings
from deployments.bench.places import free_port
from tests.codes import issue

NOW = datetime.now(UTC)
USERS = 8


@pytest.fixture(scope="module")
def url(seeded: Settings) -> str:
    return seeded.platform.database_url.get_secret_value()


@pytest.fixture(scope="module")
def users(url: str, integration_id: str) -> list[str]:
    """People with a grant."""
    engine = make_engine(url)
    with session_scope(engine) as session:
        people = [_granted(session, integration_id) for _ in range(USERS)]
    engine.dispose()
    return people


def _granted(session: Session, integration_id: str) -> str:
    issued = issue(session, integration_id, NOW)
    query = "insert into grants (id, integration_id, entry_id, external_user_id) values (:e, :i, :e, :u)"
    session.execute(text(query), {"e": issued.entry_id, "i": integration_id, "u": issued.external_user_id})
    return issued.external_user_id


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[HotCalls]:
    connections = HotConnections(url, 2, "test-batching")
    calls = HotCalls(connections, system_clock, LiveCounts(), 90)
    try:
        yield calls
    finally:
        await calls.drain()
        await connections.close()


def beats(
    calls: HotCalls, integration_id: str, users: Sequence[str]
) -> list[asyncio.Future[tuple[int, int]]]:
    return [calls.heartbeats.submit((integration_id, [Beat(user, "live", NOW)])) for user in users]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


@asynccontextmanager
async def held(url: str, integration_id: str, user: str) -> AsyncIterator[AsyncConnection[Any]]:
    """The user's presence row is locked by another transaction."""
    async with await AsyncConnection.connect(url) as connection:
        row = (integration_id, user)
        await connection.execute(
            "insert into presence values (%s, %s, now(), 'live') on conflict do nothing", row
        )
        await connection.commit()
        await connection.execute(
            "select from presence where integration_id = %s and external_user_id = %s for update", row
        )
        yield connection
        await connection.rollback()


def test_many_callers_few_statements() -> None:
    ran: list[int] = []

    async def work(items: Sequence[int]) -> Sequence[int]:
        ran.append(len(items))
        await asyncio.sleep(0.01)
        return [item * 2 for item in items]

    async def main() -> None:
        batches: Batches[int, int] = Batches(work, 500)
        assert await asyncio.gather(*[batches.submit(n) for n in range(1000)]) == [n * 2 for n in range(1000)]
        await batches.drain()

    run(main())
    assert ran == [500, 500]


def test_no_more_batches_than_may_run_side_by_side_and_nobody_is_forgotten() -> None:
    running, most, sizes = 0, 0, list[int]()

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        sizes.append(len(items))
        await asyncio.sleep(0)
        running -= 1
        return items

    async def ask(lines: Batches[int, int], first: int) -> list[int]:
        """Each asks anew the moment it was answered, when a batch has just ended."""
        return [await lines.submit(number) for number in range(first, first + 20)]

    async def scenario() -> list[list[int]]:
        lines = Batches(run, 5, at_once=2)
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*[ask(lines, 100 * caller) for caller in range(8)])
            await lines.drain()
        return answers

    answers = asyncio.run(scenario())
    assert answers == [list(range(100 * caller, 100 * caller + 20)) for caller in range(8)]
    assert most == 2 and max(sizes) <= 5


def test_a_spoilt_item_spoils_only_its_own_answer(url: str, integration_id: str, users: list[str]) -> None:
    async def main() -> None:
        async with calling(url) as calls:
            waiting = beats(calls, integration_id, [*users, "spoilt\x00name", "stranger"])
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert found[:USERS] == [(1, 0)] * USERS
        assert isinstance(found[USERS], DataError)
        assert found[USERS + 1] == (0, 1)

    run(main())


def test_a_row_that_another_holds_holds_up_nobody_else_for_long(
    url: str, integration_id: str, users: list[str]
) -> None:
    async def main() -> None:
        async with held(url, integration_id, users[0]), calling(url) as calls:
            found = await asyncio.gather(*beats(calls, integration_id, users), return_exceptions=True)
        assert isinstance(found[0], LockNotAvailable)
        assert found[1:] == [(1, 0)] * (USERS - 1)

    run(main())


def test_a_connection_killed_in_the_middle_costs_nobody_an_error(
    url: str, integration_id: str, users: list[str]
) -> None:
    kill = """select count(pg_terminate_backend(pid)) from pg_stat_activity
              where application_name = 'test-batching' and wait_event_type = 'Lock'"""

    async def main() -> None:
        async with calling(url) as calls:
            await asyncio.gather(*beats(calls, integration_id, users))
            async with held(url, integration_id, users[0]) as holder:
                waiting = beats(calls, integration_id, users)
                while not (await (await holder.execute(kill)).fetchall())[0][0]:
                    await asyncio.sleep(0.02)
                await holder.rollback()
                assert await asyncio.gather(*waiting) == [(1, 0)] * USERS
            assert await asyncio.gather(*beats(calls, integration_id, users)) == [(1, 0)] * USERS

    run(main())


def test_without_a_database_everybody_is_told_so() -> None:
    async def main() -> None:
        async with calling(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing") as calls:
            found = await asyncio.gather(*beats(calls, "int_x", "abc"), return_exceptions=True)
        assert [isinstance(each, OperationalError) for each in found] == [True] * 3

    run(main())


def test_who_has_gone_away_is_not_waited_for_and_the_end_waits_for_the_rest(
    url: str, integration_id: str, users: list[str]
) -> None:
    async def main() -> None:
        async with calling(url) as calls:
            waiting = beats(calls, integration_id, users)
            waiting[0].cancel()
            await calls.drain()
            assert [future.result() for future in waiting[1:]] == [(1, 0)] * (USERS - 1)

    run(main())


def test_an_error_of_ours_reaches_every_waiter() -> None:
    async def work(items: Sequence[int]) -> Sequence[int]:
        raise ValueError(items)

    async def main() -> None:
        batches: Batches[int, int] = Batches(work, 500)
        found = await asyncio.gather(*[batches.submit(n) for n in range(3)], return_exceptions=True)
        assert [str(each) for each in found] == ["[0]", "[1]", "[2]"]

    run(main())


def test_connections_of_an_ended_loop_are_closed(url: str) -> None:
    connections = HotConnections(url, 2, "test-ended-loop")

    async def pid(connection: AsyncConnection[Any]) -> int:
        return connection.info.backend_pid

    first = asyncio.run(connections.run(pid))
    second = asyncio.run(connections.run(pid))
    assert first != second
    with psycopg.connect(url) as connection:
        query = "select pid from pg_stat_activity where application_name = 'test-ended-loop'"
        for _ in range(100):
            if [row[0] for row in connection.execute(query)] == [second]:
                break
            connection.rollback()
            connection.execute("select pg_sleep(0.02)")
        else:
            pytest.fail("the first loop's connection is still open")
