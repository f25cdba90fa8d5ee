"""Speaking and reading. `seq` numbers the messages of a conversation from 1, without a gap, in the order in
which they become visible: whoever has read up to one has missed nothing before it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.chat import queries, rules
from api.core.chat.models import Conversation, Message
from api.core.errors import NotFound
from api.core.ids import new_id

Side = Literal["user", "founder"]
CHANNEL = "firstuser_chat"
"""What PostgreSQL notifies of each message on; the payload is the conversation's id."""


@dataclass(frozen=True, slots=True)
class ConversationView:
    id: str
    space_id: str
    entry_id: str
    last_seq: int
    user_read_seq: int
    founder_read_seq: int
    last_message_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    id: str
    conversation_id: str
    seq: int
    sender: str
    client_id: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Oldest first. `more`: there are others, further in the direction that was asked for."""

    messages: Sequence[MessageView]
    more: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """A conversation as a list shows it; `unread` counts the user's messages."""

    conversation: ConversationView
    last_message: MessageView
    unread: int


def opened(session: Session, space_id: str, entry_id: str, now: datetime) -> ConversationView:
    """The one conversation of that entry, made when there is none yet."""
    found = queries.conversation_of_entry(session, entry_id)
    if found is None:
        values = {"id": new_id("cnv"), "space_id": space_id, "entry_id": entry_id, "created_at": now}
        queries.add_conversation(session, values)
        found = queries.conversation_of_entry(session, entry_id)
    if found is None:
        raise NotFound(f"There is no entry {entry_id}.")
    return _conversation(found)


def get(session: Session, conversation_id: str) -> ConversationView:
    """Raises `NotFound`."""
    found = queries.conversation(session, conversation_id)
    if found is None:
        raise no_conversation(conversation_id)
    return _conversation(found)


def no_conversation(conversation_id: str) -> NotFound:
    """The same words for an unknown conversation and for another founder's."""
    return NotFound(
        f"There is no conversation {conversation_id!r}.", fix="Check the id, and who is signed in."
    )


def post(
    session: Session, conversation_id: str, side: Side, client_id: str, text: str, now: datetime
) -> tuple[MessageView, bool]:
    """(the message, True when it is new). A `client_id` that the side has used before gives the message that
    it was used for. Raises `NotFound`, `Refused` `text_invalid`."""
    cleaned = rules.clean(text)
    if not queries.hold(session, conversation_id):
        raise no_conversation(conversation_id)
    known = queries.message_of_client(session, conversation_id, side, client_id)
    if known is not None:
        return _message(known), False
    message = MessageView(
        id=new_id("msg"),
        conversation_id=conversation_id,
        seq=queries.next_seq(session, conversation_id, now),
        sender=side,
        client_id=client_id,
        text=cleaned,
        created_at=now,
    )
    queries.add_message(session, asdict(message))
    queries.tell(session, CHANNEL, conversation_id)
    return message, True


def after(session: Session, conversation_id: str, seq: int, limit: int) -> MessagePage:
    found = queries.after(session, conversation_id, seq, limit + 1)
    return MessagePage([_message(one) for one in found[:limit]], len(found) > limit)


def before(session: Session, conversation_id: str, seq: int | None, limit: int) -> MessagePage:
    """The last ones before `seq`, or the last ones of all."""
    found = queries.before(session, conversation_id, seq, limit + 1)
    return MessagePage([_message(one) for one in reversed(found[:limit])], len(found) > limit)


def after_each(session: Session, positions: Mapping[str, int], most: int) -> Sequence[MessageView]:
    """What stands behind a position in each of several conversations, at most `most` of each, in order."""
    return [_message(one) for one in queries.after_each(session, positions, most)]


def mark_read(session: Session, conversation_id: str, side: Side, seq: int) -> int:
    """How far that side has read now. It never goes back. Raises `NotFound`."""
    reached = queries.mark_read(session, conversation_id, side, seq)
    if reached is None:
        raise no_conversation(conversation_id)
    return reached


def unread(session: Session, conversation_id: str, side: Side) -> int:
    return queries.unread(session, [conversation_id], side).get(conversation_id, 0)


def overviews(
    session: Session, space_id: str, behind: tuple[datetime, str] | None, limit: int
) -> tuple[Sequence[Overview], tuple[datetime, str] | None]:
    """A founder's list, the latest message first, and behind which place the next page begins."""
    rows = queries.newest_first(session, space_id, behind, limit + 1)
    found = [_conversation(row) for row in rows[:limit]]
    ids = [one.id for one in found]
    last = {row.conversation_id: _message(row) for row in queries.last_messages(session, ids)}
    waiting = queries.unread(session, ids, "founder")
    shown = [Overview(one, last[one.id], waiting.get(one.id, 0)) for one in found]
    end = found[-1] if len(rows) > limit else None
    return shown, (end.last_message_at, end.id) if end and end.last_message_at else None


def _conversation(row: Conversation) -> ConversationView:
    return ConversationView(
        id=row.id,
        space_id=row.space_id,
        entry_id=row.entry_id,
        last_seq=row.last_seq,
        user_read_seq=row.user_read_seq,
        founder_read_seq=row.founder_read_seq,
        last_message_at=row.last_message_at,
        created_at=row.created_at,
    )


def _message(row: Message) -> MessageView:
    return MessageView(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        sender=row.sender,
        client_id=row.client_id,
        text=row.text,
        created_at=row.created_at,
    )
