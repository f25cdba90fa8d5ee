"""Prefect away while a run goes on: what cannot be reported is left out, and a record says so."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from structlog import get_logger

from api.core.errors import FirstUserError

AWAY = (httpx.TransportError, PrefectHTTPStatusError)
_log = get_logger("flows")


@contextmanager
def unless_prefect_is_away() -> Generator[None]:
    """What cannot be reported is left out: a drill goes on without Prefect, and our own rows hold all."""
    try:
        yield
    except AWAY as error:
        _log.warning("Prefect is away: a report is left out", kind=type(error).__name__)


def interrupted(error: BaseException, again: str) -> FirstUserError:
    """What ended a run from outside, as its record says it."""
    if isinstance(error, AWAY):
        return FirstUserError("Prefect could not be reached", fix=f"Start Prefect (`firstuser up`). {again}")
    return FirstUserError(f"interrupted by {type(error).__name__}", fix=again)
