"""The JSON of chat, shared by the widget's and the founders' surface."""

from typing import Annotated, Any, Literal

from fastapi import Header, Query
from pydantic import BaseModel, Field, StringConstraints

from api.core.chat import rules
from api.core.chat.service import MessagePage, MessageView
from api.http.shapes import Moment

MOST_SEQ = 2**53 - 1  # what every reader of JSON can count to

Seq = Annotated[int, Field(ge=0, le=MOST_SEQ)]
AfterSeq = Annotated[int, Query(ge=0, le=MOST_SEQ, description="Messages behind this `seq`.")]
BeforeSeq = Annotated[int | None, Query(ge=1, le=MOST_SEQ, description="The last ones before this `seq`.")]
Most = Annotated[int, Query(ge=1, le=100, description="Messages at a time.")]
LastEventId = Annotated[str | None, Header(description="The `seq` to go on behind; it overrides `after`.")]

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Events, until `end`.",
    }
}


class MessageIn(BaseModel):
    """`client_id` is the sender's own name for the message: sent twice, it is there once."""

    client_id: Annotated[str, StringConstraints(pattern=rules.CLIENT_ID)]
    text: Annotated[str, StringConstraints(min_length=1, max_length=2 * rules.MAX_TEXT)]


class ReadIn(BaseModel):
    """Everything up to `seq` has been read."""

    seq: Seq


class ReadOut(BaseModel):
    read_seq: int
    unread: int


class MessageOut(BaseModel):
    """`text` is plain: escape it where it is shown."""

    object: Literal["message"] = "message"
    id: str
    seq: int
    sender: Literal["user", "founder"]
    client_id: str
    text: str
    created_at: Moment


class MessagesOut(BaseModel):
    """Oldest first. `next_cursor` is what to ask for as `after` or, going back, as `before`."""

    object: Literal["list"] = "list"
    data: list[MessageOut]
    has_more: bool
    next_cursor: str | None


def message(view: MessageView) -> MessageOut:
    return MessageOut.model_validate(view, from_attributes=True)


def messages(page: MessagePage, backwards: bool) -> MessagesOut:
    edge = page.messages[0 if backwards else -1].seq if page.more else None
    return MessagesOut(
        data=[message(one) for one in page.messages],
        has_more=page.more,
        next_cursor=None if edge is None else str(edge),
    )
