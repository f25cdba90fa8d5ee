"""The variables that point a service at a restored copy. DATABASE_URL is not among them: what is not touched
cannot be lost, whichever line a kill falls on, and a reference to the platform's own database stays one.

    FIRSTUSER_RESTORED_DATABASE_URL   wins over DATABASE_URL while it is set
    FIRSTUSER_RESTORED_COPY           its name; nothing leaves a service that serves from one
    FIRSTUSER_AS_OF                   where the service's clock stands
    FIRSTUSER_DEPLOY_ID               our mark, which the process says in readyz: it runs with what we set
"""

from collections.abc import Mapping
from datetime import UTC, datetime

DATABASE = "FIRSTUSER_RESTORED_DATABASE_URL"
COPY = "FIRSTUSER_RESTORED_COPY"
AS_OF = "FIRSTUSER_AS_OF"
MARK = "FIRSTUSER_DEPLOY_ID"
POINTED = (DATABASE, COPY, AS_OF)
AUTODEPLOY_WAS_ON = "FIRSTUSER_AUTODEPLOY_WAS_ON"
OURS = {*POINTED, MARK, AUTODEPLOY_WAS_ON}
"""What stands there because of what we did; no configuration of the service."""

OWN = "own"
"""The pointer of a service that serves from its own database."""


def wanted(dsn: str, restored_copy: str | None, as_of: datetime | None) -> Mapping[str, str | None]:
    """The URL comes last: until it is there, the service has its own database."""
    if dsn == OWN:
        return dict.fromkeys(POINTED)
    at = as_of.astimezone(UTC).isoformat() if as_of else None
    return {COPY: restored_copy, AS_OF: at, DATABASE: dsn}


def changes(found: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in wanted.items() if found.get(name) != value}
