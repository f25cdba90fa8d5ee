"""A server that goes away, or cannot read its files, in the middle of a conversation."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from api.core.errors import Rejected, Unavailable
from api.providers.databases.embedded.processes import PROVIDER

SOURCE = "The live server"


@contextmanager
def answers(who: str, operation: str) -> Generator[None]:
    """Raises `Unavailable` when the connection fails or breaks, `Rejected` for what the server refuses."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"{who} does not answer: {_first_line(error)}",
            provider=PROVIDER,
            operation=operation,
            fix="See that it runs (`firstuser status`, its log), and start again.",
        ) from error
    except psycopg.DatabaseError as error:
        raise Rejected(
            f"{who} cannot {operation}: {_first_line(error)}",
            provider=PROVIDER,
            operation=operation,
            fix="Read its log. If it names a damaged page: choose an earlier target, take a full backup.",
        ) from error


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
