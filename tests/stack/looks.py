"""What the tests of the whole stack look at from outside."""

import time
from collections.abc import Callable

import httpx
import psycopg

from tests.stack.conftest import StackUnderTest

HEALED_WITHIN_S = 180  # a busy machine is slow and not wrong


def until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    return true()


def founders(stack: StackUnderTest) -> int:
    with psycopg.connect(
        f"host=127.0.0.1 port={stack.ports.postgres} user=firstuser_reader dbname=firstuser",
        passfile=str(stack.state.passwords),
    ) as connection:
        row = connection.execute("SELECT count(*) FROM founders").fetchone()
    assert row is not None
    return int(row[0])


def serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
