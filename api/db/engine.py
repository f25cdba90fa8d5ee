"""Engines and sessions. Passwords come from the URL or, on the embedded stack, from `PGPASSFILE`."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from psycopg import Connection
from psycopg import DataError as DriverDataError
from psycopg import Error as DriverError
from psycopg import OperationalError as DriverOperationalError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DisconnectionError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from api.db.address import DatabaseAddress

# What is raised when the database cannot be reached, goes away in the middle, or has no connection left.
DATABASE_AWAY: tuple[type[Exception], ...] = (OperationalError, DriverOperationalError, PoolTimeoutError)

# Whatever the database may raise: a loop that has to go on catches it, logs it and tries again. A process of
# the new release may be there before its tables are.
DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, DriverError)

# What is raised for a value that PostgreSQL cannot hold, such as text with a NUL.
NOT_STORABLE: tuple[type[Exception], ...] = (DataError, DriverDataError)


def sqlalchemy_url(database_url: str) -> str:
    """`postgres://` and `postgresql://` as the vendors write them → the driver that we use."""
    scheme, _, rest = database_url.partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ValueError(f"DATABASE_URL must start with postgresql://, not {scheme}://")
    return f"postgresql+psycopg://{rest}"


def make_engine(
    database: str | DatabaseAddress,
    *,
    pool_size: int = 5,
    application_name: str = "firstuser",
    read_only: bool = False,
) -> Engine:
    """A pooled engine with a statement timeout, so that no request can hang on the database for ever.

    When the address changes, work that has begun ends on its connection; what begins gets a new one."""
    options = "-c statement_timeout=60000" + (" -c default_transaction_read_only=on" if read_only else "")
    url = database.url if isinstance(database, DatabaseAddress) else database
    engine = create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_pre_ping=True,
        hide_parameters=True,  # what people wrote, or a cipher of it, has no place in an error's text
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            "options": options,
        },
    )
    if isinstance(database, DatabaseAddress):
        _follow(engine, database)
    return engine


def _follow(engine: Engine, address: DatabaseAddress) -> None:
    """Every connection of the pool remembers what it was opened with."""

    def connect(_dialect: Any, entry: ConnectionPoolEntry, words: Any, known: dict[str, Any]) -> Any:
        url = address.url
        _, fresh = engine.dialect.create_connect_args(make_url(sqlalchemy_url(url)))
        entry.info["address"] = url
        return engine.dialect.connect(*words, **{**known, **fresh})

    def take(_connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if address.stale(entry.info.get("address", "")):
            raise DisconnectionError

    def give_back(_connection: Any, entry: ConnectionPoolEntry) -> None:
        if address.stale(entry.info.get("address", "")):
            entry.invalidate()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", take)
    event.listen(engine, "checkin", give_back)


@contextmanager
def session_scope(engine: Engine) -> Generator[Session]:
    """A session that commits at the end of the block and rolls back when the block raises. For doors only."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def driver_connection(session: Session) -> Connection[Any]:
    """The psycopg connection under a session, within its transaction: for COPY and for the hot path."""
    return cast("Connection[Any]", session.connection().connection.driver_connection)


__all__ = ["Engine", "Session", "make_engine", "session_scope", "sqlalchemy_url"]
