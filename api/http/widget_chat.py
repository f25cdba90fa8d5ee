"""Chat as the widget's frame speaks it, on a partner's page: `Authorization: Bearer <widget token>`, and in
`Widget-Origin` the origin of the page around the frame.

The grant behind the token and the integration's switch are looked at in every call.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from api.core.access import holders
from api.core.access import service as access
from api.core.access.holders import Holder
from api.core.chat import service as chat
from api.core.chat.service import ConversationView
from api.core.chat.token import WidgetToken
from api.core.errors import Refused
from api.http import chat_shapes
from api.http.chat_followers import Follower
from api.http.chat_shapes import (
    STREAM,
    AfterSeq,
    LastEventId,
    MessageIn,
    MessageOut,
    MessagesOut,
    Most,
    ReadIn,
    ReadOut,
)
from api.http.chat_streams import ChatStream, position
from api.http.credentials import WidgetBearer
from api.http.deps import At
from api.http.errors import RateLimited, Unauthenticated
from api.http.partner_calls import refuse_disabled
from api.http.problems import documented
from api.http.services import Services

router = APIRouter(prefix="/api/widget/v1/chat", tags=["widget"])
_CODES = (
    "invalid_widget_token",
    "grant_revoked",
    "integration_disabled",
    "validation_failed",
    "database_unavailable",
)
_WRITING = (*_CODES, "body_too_large")
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 1.0, 30
"""How much one person may say: nobody reads faster."""
_SHOWN_AT_FIRST = 50
_log = structlog.get_logger("api.widget")


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who calls, until when they may, and the one conversation that is theirs."""

    token: WidgetToken
    holder: Holder
    conversation: ConversationView


def speaker(
    request: Request,
    at: At,
    widget_origin: Annotated[str, Header(max_length=300, description="Origin of the page around us.")] = "",
    _: WidgetBearer = None,
) -> Speaker:
    """Raises `Unauthenticated`, `Refused` `integration_disabled`, `grant_revoked`."""
    token = _token(request, at, widget_origin)
    refuse_disabled(at, token.bearer.integration_id)
    with at.transaction() as session:
        holder = holders.of_grant(session, token.bearer.grant_id)
        if holder is None or holder.user_id != token.bearer.user_id:
            raise _unacceptable("unknown grant")
        if holder.standing == "revoked":
            raise Refused("Your access has been taken back.", code="grant_revoked")
        if widget_origin not in access.origins(session, holder.integration_id):
            raise _unacceptable("origin not registered any more")
        conversation = chat.opened(session, holder.space_id, holder.entry_id, at.clock())
    return Speaker(token, holder, conversation)


def _token(request: Request, at: Services, origin: str) -> WidgetToken:
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _unacceptable("none")
    try:
        return at.widget_keys.verify(presented.strip(), origin, at.clock())
    except Refused as refusal:
        raise _unacceptable(refusal.message) from refusal


def _unacceptable(reason: str) -> Unauthenticated:
    """One answer for every reason, which only the log tells."""
    _log.info("widget token refused", reason=reason)
    return Unauthenticated(
        "invalid_widget_token", "The widget token is missing or not valid.", scheme="Bearer"
    )


Speaks = Annotated[Speaker, Depends(speaker)]


class LoadOut(BaseModel):
    """What a frame begins with: the last messages, and how far the user has read."""

    object: Literal["conversation"] = "conversation"
    id: str
    space_name: str
    last_seq: int
    read_seq: int
    unread: int
    messages: MessagesOut


@router.post("/load", responses=documented(*_WRITING))
def load(at: At, who: Speaks) -> LoadOut:
    with at.transaction() as session:
        page = chat.before(session, who.conversation.id, None, _SHOWN_AT_FIRST)
        return LoadOut(
            id=who.conversation.id,
            space_name=access.space_name(session, who.holder.space_id),
            last_seq=who.conversation.last_seq,
            read_seq=who.conversation.user_read_seq,
            unread=chat.unread(session, who.conversation.id, "user"),
            messages=chat_shapes.messages(page, backwards=True),
        )


@router.get("/messages", responses=documented(*_CODES))
def list_messages(at: At, who: Speaks, after: AfterSeq = 0, limit: Most = 50) -> MessagesOut:
    with at.transaction() as session:
        page = chat.after(session, who.conversation.id, after, limit)
    return chat_shapes.messages(page, backwards=False)


@router.post(
    "/messages",
    status_code=201,
    responses={200: {"model": MessageOut, "description": "It had been sent before."}}
    | documented(*_WRITING, "text_invalid", "rate_limited"),
)
def post_message(at: At, who: Speaks, body: MessageIn, response: Response) -> MessageOut:
    taken = at.chat_limits.take(who.holder.grant_id)
    if taken.retry_after:
        raise RateLimited(taken.retry_after)
    with at.transaction() as session:
        said, new = chat.post(session, who.conversation.id, "user", body.client_id, body.text, at.clock())
    response.status_code = 201 if new else 200
    return chat_shapes.message(said)


@router.post("/read", responses=documented(*_WRITING))
def read(at: At, who: Speaks, body: ReadIn) -> ReadOut:
    with at.transaction() as session:
        reached = chat.mark_read(session, who.conversation.id, "user", body.seq)
        return ReadOut(read_seq=reached, unread=chat.unread(session, who.conversation.id, "user"))


@router.get(
    "/stream",
    response_class=Response,
    responses=STREAM | documented(*_CODES, "too_many_streams"),
)
async def stream(at: At, who: Speaks, after: AfterSeq = 0, last_event_id: LastEventId = None) -> Response:
    """Events `message` (`id` is the `seq`) and `end` (`reason`: expired, revoked, disabled, draining)."""
    conversation = who.conversation
    begin = position(after, last_event_id, conversation.last_seq)
    follower = Follower(conversation.id, begin, who.holder.grant_id, who.holder.integration_id)
    return ChatStream(at.chat_feed, follower, (who.token.expires_at - at.clock()).total_seconds())
