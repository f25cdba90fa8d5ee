"""Fly's leases: nobody else changes a machine meanwhile. One that is not given back runs out by itself."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from api.core.errors import ProviderError, Rejected, Unavailable
from api.providers.platforms.answers import object_of, text_of
from api.providers.platforms.fly import Fly

LEASE_S, PAUSE_S = 30, 5.0
LOOKS = 8


@contextmanager
def leased(api: Fly, machine_id: str, why: str, sleep: Callable[[float], None]) -> Generator[str]:
    """The nonce that every change has to show. A lease that somebody has is waited for as long as one of a
    process that was killed would last. Raises `Unavailable`."""
    path = f"{api.app}/machines/{machine_id}/lease"
    nonce = next((got for _ in range(LOOKS) if (got := _lease(api, path, why) or _paused(sleep))), "")
    if not nonce:
        said, fix = f"has leased machine {machine_id} to somebody else", "Try again when that deploy is over."
        raise api.http.error(Unavailable, "lease machine", said, fix)
    try:
        yield nonce
    finally:
        _give_back(api, path, nonce)


def _paused(sleep: Callable[[float], None]) -> str:
    sleep(PAUSE_S)
    return ""


def _lease(api: Fly, path: str, why: str) -> str:
    """ "" while somebody else has it."""
    try:
        answer = api.http.call("lease machine", "POST", path, json={"ttl": LEASE_S, "description": why})
    except Rejected as error:
        if error.status != 409:
            raise
        return ""
    found = api.http.json("lease machine", answer)
    return text_of(found, "nonce") or text_of(object_of(found, "data"), "nonce")


def _give_back(api: Fly, path: str, nonce: str) -> None:
    try:
        api.http.call("release lease", "DELETE", path, headers={"fly-machine-lease-nonce": nonce})
    except ProviderError:
        return  # it runs out by itself
