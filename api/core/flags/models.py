"""Tables of flags: the value in force per key and scope ('' is everywhere), and every change ever made."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, Identity, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Flag(Base):
    __tablename__ = "flags"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    scope: Mapped[str] = mapped_column(Text, primary_key=True, server_default="")
    value: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(DateTime(True))


class FlagChange(Base):
    __tablename__ = "flag_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    before: Mapped[bool | None] = mapped_column(Boolean)
    after: Mapped[bool | None] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(DateTime(True), index=True)
    created_xid: Mapped[int] = created_xid()
