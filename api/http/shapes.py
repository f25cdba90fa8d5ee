"""The JSON of grants and live users, on the partners' and the founders' surface. Times are RFC 3339 UTC."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, PlainSerializer

from api.core.presence.service import LivePage
from api.http import cursors


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class UserOut(BaseModel):
    """`id` is ours, `external_user_id` the partner's name for the same person."""

    id: str
    object: Literal["user"] = "user"
    external_user_id: str


class GrantOut(BaseModel):
    """Somebody's access to the partner's product, until `revoked_at`."""

    id: str
    object: Literal["grant"] = "grant"
    user_id: str
    external_user_id: str
    entry_id: str
    created_at: Moment
    revoked_at: Moment | None


class LiveUserOut(BaseModel):
    external_user_id: str
    last_seen: Moment
    status: str


class LiveUsersOut(BaseModel):
    """`count` counts all live users; `data` holds this page of them."""

    object: Literal["list"] = "list"
    data: list[LiveUserOut]
    has_more: bool
    next_cursor: str | None
    count: int
    as_of: Moment
    window_seconds: int


def live_users(page: LivePage) -> LiveUsersOut:
    return LiveUsersOut(
        data=[
            LiveUserOut(external_user_id=user.external_user_id, last_seen=user.last_seen, status=user.status)
            for user in page.users
        ],
        has_more=page.next_after is not None,
        next_cursor=cursors.encode(page.next_after),
        count=page.count,
        as_of=page.as_of,
        window_seconds=page.window_seconds,
    )
