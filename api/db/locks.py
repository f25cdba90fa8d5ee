"""Advisory locks held by a connection of their own: they go when the process does, also by kill -9."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

POLL_S = 0.2


@contextmanager
def advisory_lock(engine: Engine, key: int, wait_s: float) -> Generator[bool]:
    """Hold lock `key` inside the block; yields False when someone else kept it for `wait_s` seconds."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = monotonic() + wait_s
        while not (
            held := bool(connection.execute(text("SELECT pg_try_advisory_lock(:k)"), {"k": key}).scalar())
        ):
            if monotonic() >= deadline:
                break
            sleep(POLL_S)
        try:
            yield held
        finally:
            if held and not connection.invalidated:
                with suppress(OperationalError):  # the lock has gone with its connection
                    connection.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": key})
