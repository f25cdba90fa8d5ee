"""A database that goes away, or cannot read its files, while a drill works with it: which one, and why."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from api.core.errors import Rejected, Unavailable


@contextmanager
def database_named(who: str) -> Generator[None]:
    """Raises `Unavailable` when the connection fails or breaks, `Rejected` for what `who` cannot answer."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            f"{who} does not answer: {_first_line(error)}",
            provider="postgres",
            operation="connect",
            fix="See that it runs, then start the drill again.",
        ) from error
    except DBAPIError as error:
        raise Rejected(
            f"{who} cannot answer: {_first_line(error)}",
            provider="postgres",
            operation="query",
            fix="Drill to an earlier moment, and run pg_amcheck on the source.",
        ) from error


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
