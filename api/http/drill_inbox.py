"""The outbox of a staging that serves a restored copy on a platform: restore drills read login codes there.

Anywhere else there is nothing here. Of several instances each has an outbox of its own: staging is one.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query

from api.core.drills import inbox
from api.core.errors import NotFound
from api.http.services import Services, services
from api.providers.messaging.outbox import Outbox
from api.settings.rings import DATA_KEY

router = APIRouter(include_in_schema=False)


@router.get(inbox.PATH)
def latest(
    at: Annotated[Services, Depends(services)],
    to: Annotated[str, Query()],
    after: Annotated[datetime, Query()],
    authorization: Annotated[str, Header()] = "",
) -> dict[str, str | None]:
    """The newest body that was written to `to`, none when there is none."""
    service = at.settings.service
    keys = at.live_rings.known.get(DATA_KEY, [])
    shown = authorization.removeprefix("Bearer ")
    if not service.restored_copy or not keys or not inbox.admits(keys, service.restored_copy, shown):
        raise NotFound("There is nothing here.")
    found = Outbox(service.outbox_dir).latest(to, after)
    return {"at": found.at.isoformat() if found else None, "body": found.body if found else None}
