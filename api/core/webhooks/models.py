"""The table of webhook signing secrets, sealed; several may be valid at once during a rotation."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class WebhookSecret(Base):
    __tablename__ = "webhook_secrets"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"), index=True)
    secret_cipher: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()
    created_by: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(True))
