"""The founders' API of chat: their conversations, what is said in them, live."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from api.core.access import service as access
from api.core.chat import service as chat
from api.core.chat.service import ConversationView
from api.http import chat_shapes, conversations
from api.http.chat_followers import Follower
from api.http.chat_shapes import (
    STREAM,
    AfterSeq,
    BeforeSeq,
    LastEventId,
    MessageIn,
    MessageOut,
    MessagesOut,
    Most,
    ReadIn,
    ReadOut,
)
from api.http.chat_streams import ChatStream, position
from api.http.conversations import Listed
from api.http.deps import At, SignedIn
from api.http.problems import FOUNDER_CODES, documented
from api.http.shapes import Moment

router = APIRouter(prefix="/api/founder/v1", tags=["founder"])
_READING = documented(*FOUNDER_CODES)
_WRITING = (*FOUNDER_CODES, "foreign_origin")
STREAM_SECONDS = 60.0  # then the browser connects again, and its session is looked at again


class PersonOut(BaseModel):
    object: Literal["user"] = "user"
    id: str
    external_user_id: str


class ConversationOut(BaseModel):
    """`read_seq` is how far the founder has read, `user_read_seq` how far the user; `unread` counts the
    user's messages behind `read_seq`."""

    object: Literal["conversation"] = "conversation"
    id: str
    user: PersonOut
    last_seq: int
    read_seq: int
    user_read_seq: int
    unread: int
    last_message: MessageOut
    created_at: Moment

    @classmethod
    def of(cls, listed: Listed) -> "ConversationOut":
        found = listed.overview.conversation
        return cls(
            id=found.id,
            user=PersonOut(id=listed.person.user_id, external_user_id=listed.person.external_user_id),
            last_seq=found.last_seq,
            read_seq=found.founder_read_seq,
            user_read_seq=found.user_read_seq,
            unread=listed.overview.unread,
            last_message=chat_shapes.message(listed.overview.last_message),
            created_at=found.created_at,
        )


class ConversationsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ConversationOut]
    has_more: bool
    next_cursor: str | None


def conversation(at: At, who: SignedIn, conversation_id: str) -> ConversationView:
    """The founder's own. Raises `NotFound`."""
    with at.transaction() as session:
        return conversations.find(session, who.id, conversation_id)


Own = Annotated[ConversationView, Depends(conversation)]


@router.get("/spaces/{slug}/conversations", responses=documented(*FOUNDER_CODES, "cursor_invalid"))
def list_conversations(
    at: At,
    who: SignedIn,
    slug: str,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Most = 50,
) -> ConversationsOut:
    """The latest message first."""
    with at.transaction() as session:
        page = conversations.page(session, access.space_id(session, who.id, slug), cursor, limit)
    return ConversationsOut(
        data=[ConversationOut.of(one) for one in page.conversations],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


@router.get("/conversations/{conversation_id}/messages", responses=_READING)
def list_messages(
    at: At, own: Own, after: AfterSeq = 0, before: BeforeSeq = None, limit: Most = 50
) -> MessagesOut:
    """Behind `after`, oldest first; with `before` the last ones before it."""
    with at.transaction() as session:
        if before is not None:
            return chat_shapes.messages(chat.before(session, own.id, before, limit), backwards=True)
        return chat_shapes.messages(chat.after(session, own.id, after, limit), backwards=False)


@router.post(
    "/conversations/{conversation_id}/messages",
    status_code=201,
    responses={200: {"model": MessageOut, "description": "It had been sent before."}}
    | documented(*_WRITING, "text_invalid"),
)
def post_message(at: At, own: Own, body: MessageIn, response: Response) -> MessageOut:
    with at.transaction() as session:
        said, new = chat.post(session, own.id, "founder", body.client_id, body.text, at.clock())
    response.status_code = 201 if new else 200
    return chat_shapes.message(said)


@router.post("/conversations/{conversation_id}/read", responses=documented(*_WRITING))
def read(at: At, own: Own, body: ReadIn) -> ReadOut:
    with at.transaction() as session:
        reached = chat.mark_read(session, own.id, "founder", body.seq)
        return ReadOut(read_seq=reached, unread=chat.unread(session, own.id, "founder"))


@router.get(
    "/conversations/{conversation_id}/stream",
    response_class=Response,
    responses=STREAM | documented(*FOUNDER_CODES, "too_many_streams"),
)
async def stream(at: At, own: Own, after: AfterSeq = 0, last_event_id: LastEventId = None) -> Response:
    """Events `message` (`id` is the `seq`) and, after a minute or when this process leaves, `end`."""
    follower = Follower(own.id, position(after, last_event_id, own.last_seq))
    return ChatStream(at.chat_feed, follower, STREAM_SECONDS)
