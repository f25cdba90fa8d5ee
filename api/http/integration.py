"""The integration API: what a partner's back end calls with its key."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.core.access import service as access
from api.core.presence import rules
from api.core.presence import service as presence
from api.core.presence.rules import Beat
from api.db.engine import driver_connection
from api.http import cursors
from api.http.deps import At, Partner
from api.http.problems import PARTNER_CODES, documented
from api.http.shapes import LiveUsersOut, Moment, live_users

router = APIRouter(prefix="/api/integration/v1", tags=["integration"], responses=documented(*PARTNER_CODES))

# No control characters: PostgreSQL stores no NUL, and no log line should break.
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
ExternalUserId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]


class BeatIn(BaseModel):
    external_user_id: ExternalUserId
    status: Literal["live", "left"] = "live"
    at: AwareDatetime | None = None


class HeartbeatIn(BaseModel):
    users: list[BeatIn] = Field(min_length=1, max_length=rules.MAX_USERS)


class HeartbeatOut(BaseModel):
    """`rejected` counts users without a grant. Send the next beat in `next_in` seconds."""

    accepted: int
    rejected: int
    live_ttl: int
    next_in: int


class MeOut(BaseModel):
    id: str
    name: str
    space_id: str
    return_urls: list[str]
    origins: list[str]
    webhook_url: str | None
    created_at: Moment


@router.post("/heartbeat")
def heartbeat(at: At, integration_id: Partner, body: HeartbeatIn) -> HeartbeatOut:
    """Who is in right now. Idempotent; at most 100 users a call."""
    now = at.clock()
    beats = [Beat(user.external_user_id, user.status, rules.clamp(user.at, now)) for user in body.users]
    with at.transaction() as session:
        access.called(session, integration_id, now)
        accepted, rejected = presence.record(driver_connection(session), integration_id, beats)
    return HeartbeatOut(
        accepted=accepted,
        rejected=rejected,
        live_ttl=at.settings.service.live_ttl_seconds,
        next_in=rules.NEXT_IN_SECONDS,
    )


@router.get("/users/live", responses=documented(*PARTNER_CODES, "cursor_invalid"))
def users_live(
    at: At,
    integration_id: Partner,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> LiveUsersOut:
    """Users whose newest beat is younger than `window_seconds`, in order of their ids."""
    now: datetime = at.clock()
    with at.transaction() as session:
        access.called(session, integration_id, now)
        page = presence.live(
            driver_connection(session),
            [integration_id],
            now,
            at.settings.service.live_ttl_seconds,
            cursors.decode(cursor),
            limit,
        )
    return live_users(page)


@router.get("/me")
def me(at: At, integration_id: Partner) -> MeOut:
    """The integration that the key belongs to: a partner's first call."""
    with at.transaction() as session:
        found = access.called(session, integration_id, at.clock())
        return MeOut.model_validate(found, from_attributes=True)
