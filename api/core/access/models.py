"""Tables of spaces, integrations, the waiting list, access codes and grants."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Space(Base):
    __tablename__ = "spaces"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[str] = mapped_column(ForeignKey("founders.id"), index=True)
    synthetic: Mapped[bool] = mapped_column(
        Boolean, server_default="false"
    )  # the smoke test's own: no metric
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
        Index("ix_entries_space_id", "space_id", "status", "rank", "seq"),
        Index("ix_entries_space_id_created_at", "space_id", "created_at"),
        Index("ix_entries_email_index", "email_index", postgresql_where=text("email_index is not null")),
        Index("ix_entries_phone_index", "phone_index", postgresql_where=text("phone_index is not null")),
        Index("ix_entries_referred_by", "referred_by", postgresql_where=text("referred_by is not null")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id"))
    integration_id: Mapped[str | None] = mapped_column(ForeignKey("integrations.id"))
    user_id: Mapped[str] = mapped_column(
        Text, unique=True, server_default=text("'usr_' || left(md5(gen_random_uuid()::text), 20)")
    )
    external_user_id: Mapped[str] = mapped_column(Text)
    email_cipher: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_cipher: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    ordinal: Mapped[int] = mapped_column(BigInteger)
    rank: Mapped[int] = mapped_column(BigInteger)
    referrals: Mapped[int] = mapped_column(Integer, server_default="0")
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")
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
        Index("ix_grants_entry_id", "entry_id"),  # deleting an entry finds its grants by it
        Index("uq_grants_entry_id", "entry_id", unique=True, postgresql_where=text("revoked_at is null")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id"))
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"))
    external_user_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(True))


class WaitlistCounter(Base):
    """How many have joined a space: the next `ordinal`."""

    __tablename__ = "waitlist_counters"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    joined: Mapped[int] = mapped_column(BigInteger, server_default="0")


class WaitlistBlock(Base):
    """How many there are of a status among 4,096 ranks; kept by triggers on `entries`."""

    __tablename__ = "waitlist_blocks"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    people: Mapped[int] = mapped_column(BigInteger)


class WaitlistStart(Base):
    """One visit to the waiting list that a partner asked for; the visitor's browser holds its token."""

    __tablename__ = "waitlist_starts"
    __table_args__ = (CheckConstraint("mode in ('redirect', 'embedded')", name="mode"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"), index=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id"))
    mode: Mapped[str] = mapped_column(Text)
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    return_url: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str | None] = mapped_column(Text)
    code_challenge: Mapped[str | None] = mapped_column(Text)
    embed_origin: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(True), index=True)


class AccessCode(Base):
    """What an accepted visitor brings back to the partner, who exchanges it once for a grant."""

    __tablename__ = "access_codes"

    code_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    start_id: Mapped[str | None] = mapped_column(
        ForeignKey("waitlist_starts.id", ondelete="CASCADE"), index=True
    )
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"), index=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id"))
    return_url: Mapped[str | None] = mapped_column(Text)
    code_challenge: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(True), index=True)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    used_key: Mapped[str | None] = mapped_column(Text)
    grant_id: Mapped[str | None] = mapped_column(Text)


class Milestone(Base):
    """The first time that a partner's integration really did something."""

    __tablename__ = "milestones"

    integration_id: Mapped[str] = mapped_column(
        ForeignKey("integrations.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    reached_at: Mapped[datetime] = mapped_column(DateTime(True))
