"""One `up` or `down` at a time per state folder."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from api.core.errors import Conflict
from deployments.local.layout import StateFolder


@contextmanager
def alone(state: StateFolder) -> Generator[None]:
    with state.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another `firstuser up` or `down` is at work in {state.root}.", fix="Wait until it is done."
            ) from error
        yield
