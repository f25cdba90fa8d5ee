"""The composition of a rehearsal: staging's releases, and a visitor who uses what serves."""

from functools import cache

from api.core.clock import system_clock
from api.core.errors import Refused, Rejected
from api.core.ports import ReleaseKeeper
from api.core.preflight.rehearsing import SERVICE, Rehearsing
from api.providers.preflight.outside import Outside
from flows import wiring

USED = {"/": 200, "/login": 200, "/api/openapi.json": 200, "/api/integration/v1/me": 401}
"""What is asked of a release, and the status that it has to answer with."""


@cache
def rehearsing() -> Rehearsing:
    """Raises `Refused` where the hosting provider keeps no releases."""
    hosting = wiring.hosting()
    if not isinstance(hosting, ReleaseKeeper):
        raise Refused(
            f"{hosting.name} does not say which releases there were.", fix="Rehearse by hand, and waive it."
        )
    wait_s = wiring.settings().drills.staging_wait_seconds
    return Rehearsing(wiring.transaction, hosting, hosting, works, system_clock, wait_s)


def works(release: str) -> str:
    """That release serves: probes, pages and API, which turns strangers away. Raises `Rejected`.

    Nobody logs in: staging's own database need not hold any founder; restore drills do that on a copy."""
    base, outside = wiring.hosting().base_url(SERVICE), Outside()
    seen = outside.served(base)
    if seen.problem or seen.failing or seen.status != 200:
        raise _no(seen.problem or f"readyz answers {seen.status}: {', '.join(seen.failing)}")
    if seen.release != release:
        raise _no(f"it serves {seen.release} instead of {release}")
    for path, status in USED.items():
        answer = outside.get(f"{base}{path}")
        if answer.status != status:
            raise _no(f"{path} answers {answer.status or answer.problem} instead of {status}")
    return f"readyz is green, {len(USED)} pages and calls answer as they should"


def _no(what: str) -> Rejected:
    return Rejected(f"Staging: {what}.", provider="product", operation="rehearse")
