"""Tables of presence: one row per user and integration, rewritten by every heartbeat; counts per minute."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base


class Presence(Base):
    __tablename__ = "presence"
    __table_args__ = (
        CheckConstraint("status in ('live', 'left')", name="status"),
        Index(
            "ix_presence_live",
            "integration_id",
            "external_user_id",
            postgresql_where=text("status = 'live'"),
        ),
    )

    integration_id: Mapped[str] = mapped_column(
        ForeignKey("integrations.id", ondelete="CASCADE"), primary_key=True
    )
    external_user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    last_seen: Mapped[datetime] = mapped_column(DateTime(True))
    status: Mapped[str] = mapped_column(Text)


class PresenceMinute(Base):
    """How many were live when a minute began: what the last 24 hours are drawn from."""

    __tablename__ = "presence_minutes"

    integration_id: Mapped[str] = mapped_column(
        ForeignKey("integrations.id", ondelete="CASCADE"), primary_key=True
    )
    minute: Mapped[datetime] = mapped_column(DateTime(True), primary_key=True)
    live: Mapped[int] = mapped_column(Integer)
