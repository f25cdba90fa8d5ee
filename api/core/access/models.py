"""Tables of spaces, integrations, entries and grants."""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Space(Base):
    __tablename__ = "spaces"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[str] = mapped_column(ForeignKey("founders.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


class Integration(Base):
    __tablename__ = "integrations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    return_urls: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    origins: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    webhook_url: Mapped[str | None] = mapped_column(Text)
    first_call_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


class Entry(Base):
    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("status in ('waiting', 'accepted', 'rejected')", name="status"),
        UniqueConstraint("integration_id", "external_user_id"),
        Index("ix_entries_space_id", "space_id", "status", "seq"),
        Index("ix_entries_space_id_created_at", "space_id", "created_at"),
        Index("ix_entries_email_index", "email_index", postgresql_where=text("email_index is not null")),
        Index("ix_entries_referred_by", "referred_by", postgresql_where=text("referred_by is not null")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id"))
    integration_id: Mapped[str | None] = mapped_column(ForeignKey("integrations.id"))
    external_user_id: Mapped[str] = mapped_column(Text)
    email_cipher: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(Text, server_default="waiting")
    referral_code: Mapped[str] = mapped_column(Text, unique=True)
    referred_by: Mapped[str | None] = mapped_column(ForeignKey("entries.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(True))


class Grant(Base):
    __tablename__ = "grants"
    __table_args__ = (
        Index("ix_grants_integration_id", "integration_id", "external_user_id", "revoked_at"),
        Index("uq_grants_entry_id", "entry_id", unique=True, postgresql_where=text("revoked_at is null")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id"))
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"))
    external_user_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(True))
