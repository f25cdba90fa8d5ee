"""Tables of founders, their login codes and their sessions. Personal data is sealed."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, Integer, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Founder(Base):
    __tablename__ = "founders"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    phone_cipher: Mapped[bytes] = mapped_column(LargeBinary)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email_cipher: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


class LoginCode(Base):
    __tablename__ = "login_codes"
    __table_args__ = (
        Index("ix_login_codes_browser_id", "browser_id", "created_at"),
        Index("ix_login_codes_identifier_index", "identifier_index", "created_at"),
        Index("ix_login_codes_ip_index", "ip_index", "created_at"),
        Index(
            "ix_login_codes_channel", "channel", "created_at", postgresql_where=text("channel is not null")
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    founder_id: Mapped[str | None] = mapped_column(ForeignKey("founders.id", ondelete="CASCADE"))
    browser_id: Mapped[str] = mapped_column(Text)
    identifier_index: Mapped[bytes] = mapped_column(LargeBinary)
    code_hmac: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(True))
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    used_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    channel: Mapped[str | None] = mapped_column(Text)
    ip_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(True))


class FounderSession(Base):
    __tablename__ = "sessions"

    id_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[str] = mapped_column(Text, unique=True)
    founder_id: Mapped[str] = mapped_column(ForeignKey("founders.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    proven_at: Mapped[datetime] = mapped_column(DateTime(True))
    browser: Mapped[str] = mapped_column(Text, server_default="")
