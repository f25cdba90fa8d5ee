"""The founders' API: their spaces and live users, as JSON."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.core.access import service as access
from api.core.presence import service as presence
from api.db.engine import driver_connection
from api.http import cursors
from api.http.deps import At, SignedIn
from api.http.problems import FOUNDER_CODES, documented
from api.http.shapes import LiveUsersOut, Moment, live_users

router = APIRouter(prefix="/api/founder/v1", tags=["founder"], responses=documented(*FOUNDER_CODES))


class IntegrationRef(BaseModel):
    id: str
    name: str


class LiveCount(BaseModel):
    count: int


class SpaceOut(BaseModel):
    id: str
    slug: str
    name: str
    created_at: Moment
    entries: dict[str, int]
    grants: dict[str, int]
    integrations: list[IntegrationRef]
    live: LiveCount


@router.get("/spaces/{slug}")
def space(at: At, who: SignedIn, slug: str) -> SpaceOut:
    with at.transaction() as session:
        found = access.space(session, who.id, slug)
        connection, window = driver_connection(session), at.settings.service.live_ttl_seconds
        live = at.live_counts.of(
            found.integration_ids,
            partial(presence.count_live, connection, found.integration_ids, at.clock(), window),
        )
    return SpaceOut(
        id=found.id,
        slug=found.slug,
        name=found.name,
        created_at=found.created_at,
        entries=dict(found.entries),
        grants=dict(found.grants),
        integrations=[IntegrationRef(id=one.id, name=one.name) for one in found.integrations],
        live=LiveCount(count=live),
    )


@router.get("/spaces/{slug}/live", responses=documented(*FOUNDER_CODES, "cursor_invalid"))
def space_live(
    at: At,
    who: SignedIn,
    slug: str,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> LiveUsersOut:
    """The live users of all integrations of the space, in order of their ids."""
    with at.transaction() as session:
        found = access.space(session, who.id, slug)
        page = presence.live(
            driver_connection(session),
            found.integration_ids,
            at.clock(),
            at.settings.service.live_ttl_seconds,
            cursors.decode(cursor),
            limit,
        )
    return live_users(page)
