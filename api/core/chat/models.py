"""Tables of chat. `seq` is allocated under the conversation's row lock, so that cursors skip nothing."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Conversation(Base):
    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_space_id", "space_id", "last_message_at"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id"))
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"), unique=True)
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    user_read_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    founder_read_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_message_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("sender in ('user', 'founder')", name="sender"),
        UniqueConstraint("conversation_id", "seq", name="uq_messages_conversation_id"),
        UniqueConstraint("conversation_id", "sender", "client_id", name="uq_messages_client_id"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    sender: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
