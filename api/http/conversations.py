"""Conversations as a founder sees them: found for their owner only, and named by the person in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.core.access import holders
from api.core.access import service as access
from api.core.access.holders import Person
from api.core.chat import service as chat
from api.core.chat.service import ConversationView, Overview
from api.core.errors import Refused
from api.db.engine import Session
from api.http import cursors

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Listed:
    overview: Overview
    person: Person


@dataclass(frozen=True, slots=True)
class ConversationPage:
    conversations: Sequence[Listed]
    next_cursor: str | None


def find(session: Session, founder_id: str, conversation_id: str) -> ConversationView:
    """Raises `NotFound`, in the same words for another founder's as for none."""
    found = chat.get(session, conversation_id)
    if not access.owns(session, founder_id, found.space_id):
        raise chat.no_conversation(conversation_id)
    return found


def page(session: Session, space_id: str, cursor: str | None, limit: int) -> ConversationPage:
    """The latest message first. Raises `Refused` `cursor_invalid`."""
    found, behind = chat.overviews(session, space_id, _place(cursor) if cursor else None, limit)
    people = holders.people(session, [one.conversation.entry_id for one in found])
    listed = [Listed(one, people[one.conversation.entry_id]) for one in found]
    return ConversationPage(listed, cursors.encode((behind[0].isoformat(), behind[1])) if behind else None)


def _place(cursor: str) -> tuple[datetime, str]:
    moment, conversation_id = cursors.decode(cursor)
    try:
        said_at = datetime.fromisoformat(moment)
    except ValueError:
        raise _foreign() from None
    if said_at.tzinfo is None or "\x00" in conversation_id:
        raise _foreign()
    return said_at, conversation_id


def _foreign() -> Refused:
    return Refused(
        "The cursor is not one of ours.", fix="Start again without a cursor.", code="cursor_invalid"
    )
