"""The composition of a rehearsal: staging's releases, and a visitor who uses what serves."""

from functools import cache

from api.core.clock import system_clock
from api.core.errors import Refused, Rejected
from api.core.preflight.rehearsing import SERVICE, Rehearsing, ReleaseKeeper
from api.providers.preflight.outside import Outside
from flows import wiring


@cache
def rehearsing() -> Rehearsing:
    """Raises `Refused` where the hosting provider keeps no releases."""
    hosting = wiring.hosting()
    if not isinstance(hosting, ReleaseKeeper):
        raise Refused(
            f"{hosting.name} does not say which releases there were.", fix="Rehearse by hand, and waive it."
        )
    wait_s = wiring.settings().drills.staging_timeout_seconds
    return Rehearsing(wiring.transaction, hosting, hosting, works, system_clock, wait_s)


def works(release: str) -> str:
    """That release serves, a founder logs in and their tools load. Raises `ProviderError`."""
    seen = Outside().served(wiring.hosting().base_url(SERVICE))
    if seen.problem or seen.failing or seen.status != 200:
        raise _no(seen.problem or f"readyz answers {seen.status}: {', '.join(seen.failing)}")
    if seen.release != release:
        raise _no(f"it serves {seen.release} instead of {release}")
    with wiring.visitor() as visitor:
        visitor.log_in(wiring.settings().platform.homepage_owner_phone)
        visitor.page("/app")
    return "readyz is green, a founder logged in and their tools loaded"


def _no(what: str) -> Rejected:
    return Rejected(f"Staging: {what}.", provider="product", operation="rehearse")
