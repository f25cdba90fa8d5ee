"""The tenant of smoke tests: one space and one integration by fixed ids, marked, with nobody in it for long.

The rows stay from run to run, empty: what comes and goes are people, keys, secrets and addresses."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.access import grant_queries, integrations, queries
from api.core.access.integrations import Change
from api.core.access.models import Integration, Space

SPACE_ID = "spc_preflight"
OWNER_ID = "fnd_preflight"
PHONE = "+999000000001"  # no country has +999: nobody's, and nobody logs in with it
INTEGRATION_ID = "int_preflight"
SLUG = "preflight-synthetic"
NAME = "Preflight (synthetic)"


def ensure(session: Session, owner_id: str, now: datetime) -> None:
    """Idempotent."""
    if session.get(Space, SPACE_ID) is None:
        values = {"id": SPACE_ID, "slug": SLUG, "name": NAME, "owner_id": owner_id}
        session.add(Space(**values, synthetic=True, created_at=now))
        session.flush()
        session.add(Integration(id=INTEGRATION_ID, space_id=SPACE_ID, name=NAME, created_at=now))
        session.flush()


def address(session: Session, return_url: str, origin: str, webhook_url: str | None) -> None:
    """What may be sent there from now on. Raises `Refused`."""
    found = queries.integration(session, INTEGRATION_ID)
    if found is not None:
        asked = Change(return_urls=[return_url], origins=[origin], webhook_url=webhook_url or "")
        integrations.change(session, found, asked)


def unaddress(session: Session) -> None:
    """Nothing may be sent anywhere. Idempotent."""
    found = queries.integration(session, INTEGRATION_ID)
    if found is not None:
        integrations.change(session, found, Change(return_urls=[], origins=[], webhook_url=""))


def may_be_embedded(session: Session, origin: str) -> str:
    """An origin that a join may come from: one that is registered, else this one from now on."""
    found = queries.integration(session, INTEGRATION_ID)
    if found is None or found.origins:
        return found.origins[0] if found else origin
    integrations.change(
        session, found, Change(return_urls=found.return_urls, origins=[origin], webhook_url=None)
    )
    return origin


def left_behind(session: Session) -> bool:
    """Whether something of a smoke test is still there: while none runs, a killed one has left it."""
    found = queries.integration(session, INTEGRATION_ID)
    return found is not None and bool(found.webhook_url or found.return_urls or people(session))


def people(session: Session) -> Sequence[str]:
    """The user ids of whoever is on its list."""
    return grant_queries.users_of_space(session, SPACE_ID)
