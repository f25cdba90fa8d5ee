"""SQL of chat."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.core.chat.models import Conversation, Message

_AFTER_EACH = text("""
select found.* from unnest(cast(:ids as text[]), cast(:positions as bigint[])) as asked(id, position)
join conversations on conversations.id = asked.id and conversations.last_seq > asked.position
cross join lateral (
    select * from messages where conversation_id = asked.id and seq > asked.position order by seq limit :most
) as found
order by found.conversation_id, found.seq
""")


def conversation(session: Session, conversation_id: str) -> Conversation | None:
    return session.scalar(
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .execution_options(populate_existing=True)
    )


def conversation_of_entry(session: Session, entry_id: str) -> Conversation | None:
    return session.scalar(
        select(Conversation)
        .where(Conversation.entry_id == entry_id)
        .execution_options(populate_existing=True)
    )


def add_conversation(session: Session, values: Mapping[str, object]) -> None:
    """Nothing happens when the entry has one already."""
    new = upsert(Conversation).values(**values)
    session.execute(new.on_conflict_do_nothing(index_elements=[Conversation.entry_id]))


def hold(session: Session, conversation_id: str) -> bool:
    """Lock the conversation's row for this transaction; False when there is none."""
    query = select(Conversation.id).where(Conversation.id == conversation_id).with_for_update()
    return session.execute(query).first() is not None


def message_of_client(session: Session, conversation_id: str, sender: str, client_id: str) -> Message | None:
    return session.scalar(
        select(Message).where(
            Message.conversation_id == conversation_id,
            Message.sender == sender,
            Message.client_id == client_id,
        )
    )


def next_seq(session: Session, conversation_id: str, now: datetime) -> int:
    return session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(
            last_seq=Conversation.last_seq + 1,
            last_message_at=func.greatest(Conversation.last_message_at, now),
        )
        .returning(Conversation.last_seq)
        .execution_options(synchronize_session=False)
    ).scalar_one()


def add_message(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(Message).values(**values))


def tell(session: Session, channel: str, conversation_id: str) -> None:
    """Listeners hear of it when the transaction commits."""
    session.execute(text("select pg_notify(:channel, :id)"), {"channel": channel, "id": conversation_id})


def after(session: Session, conversation_id: str, seq: int, limit: int) -> Sequence[Message]:
    """Oldest first."""
    return session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.seq > seq)
        .order_by(Message.seq)
        .limit(limit)
    ).all()


def before(session: Session, conversation_id: str, seq: int | None, limit: int) -> Sequence[Message]:
    """Newest first; None begins at the end."""
    query = select(Message).where(Message.conversation_id == conversation_id)
    if seq is not None:
        query = query.where(Message.seq < seq)
    return session.scalars(query.order_by(Message.seq.desc()).limit(limit)).all()


def after_each(session: Session, positions: Mapping[str, int], most: int) -> Sequence[Message]:
    """What stands behind a position in each of several conversations, at most `most` of each, in order."""
    given = {"ids": list(positions), "positions": list(positions.values()), "most": most}
    return session.scalars(select(Message).from_statement(_AFTER_EACH), given).all()


def mark_read(session: Session, conversation_id: str, reader: str, seq: int) -> int | None:
    """The position up to which `reader` has read; it never goes back, nor beyond the last message."""
    read = _read_by(reader)
    return session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values({read: func.greatest(read, func.least(seq, Conversation.last_seq))})
        .returning(read)
        .execution_options(synchronize_session=False)
    ).scalar()


def unread(session: Session, conversation_ids: Collection[str], reader: str) -> dict[str, int]:
    """How many messages of the other side `reader` has not read; conversations without any are left out."""
    read = _read_by(reader)
    rows = session.execute(
        select(Message.conversation_id, func.count())
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.id.in_(conversation_ids), Message.sender != reader, Message.seq > read)
        .group_by(Message.conversation_id)
    )
    return {row[0]: row[1] for row in rows}


def newest_first(
    session: Session, space_id: str, behind: tuple[datetime, str] | None, limit: int
) -> Sequence[Conversation]:
    """Conversations in which something was said, behind the given (last_message_at, id)."""
    place = tuple_(Conversation.last_message_at, Conversation.id)
    query = select(Conversation).where(
        Conversation.space_id == space_id, Conversation.last_message_at.is_not(None)
    )
    if behind is not None:
        query = query.where(place < tuple_(literal(behind[0]), literal(behind[1])))
    query = query.order_by(Conversation.last_message_at.desc(), Conversation.id.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def last_messages(session: Session, conversation_ids: Collection[str]) -> Sequence[Message]:
    return session.scalars(
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.id.in_(conversation_ids), Message.seq == Conversation.last_seq)
    ).all()


def _read_by(reader: str) -> InstrumentedAttribute[int]:
    return Conversation.user_read_seq if reader == "user" else Conversation.founder_read_seq
