"""The table of integration API keys. Only the hash of a key's secret is kept. `witness`: see `succession`."""

from datetime import datetime

from sqlalchemy import Boolean, DateTime, ForeignKey, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"), index=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_by: Mapped[str | None] = mapped_column(Text)
    witness: Mapped[bool] = mapped_column(Boolean, server_default="false")
