"""Live users as a stream of events: `live` about once a second, `end` with the reason at the end."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.core.access import service as access
from api.core.access.service import SpaceRef
from api.core.presence.service import LivePage
from api.http.deps import At, SignedIn
from api.http.live_feed import LiveFeed, Over
from api.http.problems import FOUNDER_CODES, documented
from api.http.shapes import Moment

router = APIRouter(prefix="/api/founder/v1", tags=["founder"], responses=documented(*FOUNDER_CODES))
OPEN_S = 15 * 60.0
RETRY_MS = 2_000
_PING_S = 15
_SEND_TIMEOUT_S = 10.0
_CUT = "\n"
_STREAM = {200: {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}


class LiveNow(BaseModel):
    """One who is in; `integration` is its name."""

    external_user_id: str
    integration: str
    status: str
    last_seen: Moment


class LiveEvent(BaseModel):
    """`count` counts all; `data` are the first of them, in order of their ids."""

    count: int
    as_of: Moment
    window_seconds: int
    data: list[LiveNow]
    has_more: bool

    @classmethod
    def of(cls, page: LivePage, space: SpaceRef) -> "LiveEvent":
        names = {one.id: one.name for one in space.integrations}
        return cls(
            count=page.count,
            as_of=page.as_of,
            window_seconds=page.window_seconds,
            data=[
                LiveNow(
                    external_user_id=user.external_user_id,
                    integration=names.get(user.integration_id, ""),
                    status=user.status,
                    last_seen=user.last_seen,
                )
                for user in page.users
            ],
            has_more=page.next_after is not None,
        )


def watched(at: At, who: SignedIn, slug: str) -> SpaceRef:
    """Raises `NotFound`."""
    with at.transaction() as session:
        return access.space_ref(session, who.id, slug)


@router.get(
    "/spaces/{slug}/live/stream",
    response_class=EventSourceResponse,
    responses=documented(*FOUNDER_CODES, "too_many_streams") | _STREAM,
)
async def space_live_stream(at: At, space: Annotated[SpaceRef, Depends(watched)]) -> EventSourceResponse:
    """Server-sent events: `live` about once a second. Ends after 15 minutes; a browser connects again."""
    at.live_feed.check_room()
    return EventSourceResponse(
        _events(at.live_feed, space),
        ping=_PING_S,
        ping_message_factory=lambda: ServerSentEvent(comment="still here", sep=_CUT),
        send_timeout=_SEND_TIMEOUT_S,
        sep=_CUT,
    )


async def _events(feed: LiveFeed, space: SpaceRef) -> AsyncGenerator[ServerSentEvent]:
    yield ServerSentEvent(comment="open", retry=RETRY_MS, sep=_CUT)
    async for seen in feed.watch(space.id, space.integration_ids, OPEN_S):
        if isinstance(seen, Over):
            yield ServerSentEvent(f'{{"reason":"{seen.reason}"}}', event="end", sep=_CUT)
        else:
            yield ServerSentEvent(LiveEvent.of(seen, space).model_dump_json(), event="live", sep=_CUT)
