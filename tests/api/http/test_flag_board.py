"""Flags as a process sees them: within seconds in every process, by hint or by poll, and with no database."""

import asyncio
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from api.core.flags import rules
from api.core.flags.rules import parse_overrides
from api.http.flag_board import FlagBoard
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.places import free_port
from tests.product import new_database

PAUSE = (
    "insert into flags (key, scope, value, changed_by, changed_at)"
    " values ('onboarding_paused', '', true, 'test', now())"
    " on conflict (key, scope) do update set value = excluded.value"
)


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return new_database(cluster)


@pytest.fixture
def write(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
        connection.execute("delete from flags")


def board(url: str, overrides: str = "") -> FlagBoard:
    return FlagBoard(url, parse_overrides(overrides))


async def seconds_until(true: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < 10
        await asyncio.sleep(0.01)
    return time.monotonic() - started


def test_two_processes_follow_within_moments_by_hint(url: str, write: psycopg.Connection) -> None:
    async def watch() -> None:
        one, two = board(url), board(url)
        async with one.following(), two.following():
            assert not one.onboarding_paused("spc_x") and not two.onboarding_paused("spc_x")
            await asyncio.sleep(0.2)  # both wait for a notification
            write.execute(PAUSE)
            both = lambda: one.onboarding_paused("spc_x") and two.onboarding_paused("spc_x")  # noqa: E731
            assert await seconds_until(both) < 1

    asyncio.run(watch())


def test_without_the_hint_the_poll_finds_it(url: str, write: psycopg.Connection) -> None:
    async def watch() -> None:
        one = board(url)
        async with one.following():
            await asyncio.sleep(0.2)
            write.execute(PAUSE)
            assert 0.3 < await seconds_until(lambda: one.onboarding_paused("spc_x")) < 5

    write.execute("alter table flags disable trigger flags_changed")
    try:
        asyncio.run(watch())
    finally:
        write.execute("alter table flags enable trigger flags_changed")


def test_an_outage_is_survived_with_what_was_known(
    cluster: Cluster, url: str, write: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live tenants stay as they were, onboarding closes once the knowledge is old, and opens again."""
    monkeypatch.setattr(rules, "TRUSTED_FOR_SECONDS", 3.0)
    write.execute(
        "insert into flags (key, scope, value, changed_by, changed_at)"
        " values ('integration_enabled', 'int_bad', false, 'test', now())"
    )
    name = write.info.dbname

    async def watch() -> None:
        one = board(url)
        async with one.following():
            assert not one.onboarding_paused("spc_x") and not one.integration_enabled("int_bad")
            shut(cluster, name, allow=False)
            assert await seconds_until(lambda: one.onboarding_paused("spc_x")) > 0.5
            assert not one.integration_enabled("int_bad") and one.integration_enabled("int_x")
            shut(cluster, name, allow=True)
            await seconds_until(lambda: not one.onboarding_paused("spc_x"))

    try:
        asyncio.run(watch())
    finally:
        shut(cluster, name, allow=True)


def shut(cluster: Cluster, name: str, *, allow: bool) -> None:
    """Let nobody into the database, and throw out the boards that are in it."""
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("alter database {} allow_connections {}").format(sql.Identifier(name), allow))
        if not allow:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = %s and application_name = 'firstuser-flags'",
                [name],
            )


def test_without_a_database_onboarding_is_closed_and_overrides_hold() -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    one = board(nowhere, "integration_enabled:int_bad=off")
    assert one.onboarding_paused("spc_x")
    assert one.integration_enabled("int_x") and not one.integration_enabled("int_bad")
    assert not one.webhook_retries_paused()
    assert not board(nowhere, "onboarding_paused=off").onboarding_paused("spc_x")
