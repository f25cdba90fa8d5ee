"""A database whose clock is wrong, or is set while a dispatcher runs, for transactions of `SetClock`.

A function of the schema `set_clock` stands before the database's own in their search path.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.db.engine import session_scope

_MAKE = text("""
create schema set_clock;
create function set_clock.clock_timestamp() returns timestamptz language sql volatile as
$$ select pg_catalog.clock_timestamp() + cast(current_setting('set_clock.off') as interval) $$
""")
_SEE = text("""
select set_config('search_path', 'set_clock, public, pg_catalog', true),
       set_config('set_clock.off', :off, true)
""")


class SetClock:
    def __init__(self, engine: Engine, off: timedelta = timedelta(0)) -> None:
        self.off = off
        self.transactions = 0
        self._engine = engine

    @contextmanager
    def transaction(self) -> Generator[Session]:
        self.transactions += 1
        with session_scope(self._engine) as session:
            session.execute(_SEE, {"off": f"{self.off.total_seconds()} seconds"})
            yield session


@contextmanager
def clocks_can_be_set(engine: Engine) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(_MAKE)
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text("drop schema set_clock cascade"))
