"""Tables of webhooks: secrets (sealed, several valid at once), endpoints, messages, deliveries, attempts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, Xid8, created_xid


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


class WebhookEndpoint(Base):
    """Where an integration's events go. `registered` is the one that `integrations.webhook_url` names, kept
    by a trigger. No `event_types` means all. `failures` in a row and `not_before` are the breaker."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("state in ('enabled', 'disabled', 'removed')", name="state"),
        Index(
            "uq_webhook_endpoints_integration_id",
            "integration_id",
            unique=True,
            postgresql_where=text("registered"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"), index=True)
    registered: Mapped[bool] = mapped_column(Boolean, server_default="false")
    url: Mapped[str] = mapped_column(Text)
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    state: Mapped[str] = mapped_column(Text, server_default="enabled")
    disabled_reason: Mapped[str] = mapped_column(Text, server_default="")
    concurrency: Mapped[int] = mapped_column(Integer, server_default="8")
    rate: Mapped[float] = mapped_column(Double, server_default="100")
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(True))
    not_before: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


class WebhookLane(Base):
    """Who sends to an endpoint now. `claim_id` counts the claims and fences them; until `claimed_until` the
    last one holds the lane, with `claimed` deliveries left, all due by `claimed_to`. Nothing is looked for
    that was due before `watermark`, until a sweep puts it back. `tokens` as of `tokens_at` are the bucket of
    its rate."""

    __tablename__ = "webhook_lanes"

    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True
    )
    claim_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default="0")
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(True))
    claimed_to: Mapped[datetime | None] = mapped_column(DateTime(True))
    claimed: Mapped[int] = mapped_column(Integer, server_default="0")
    watermark: Mapped[datetime | None] = mapped_column(DateTime(True))
    tokens: Mapped[float] = mapped_column(Double, server_default="200")
    tokens_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())


class WebhookMessage(Base):
    """One event: its exact bytes, once, however many deliveries it has. `user_id`: whom it is about."""

    __tablename__ = "webhook_messages"
    __table_args__ = (
        Index("ix_webhook_messages_integration_id", "integration_id", "id", postgresql_include=["user_id"]),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text("uuidv7()"))
    integration_id: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    user_id: Mapped[str | None] = mapped_column(Text)
    created_xid: Mapped[int] = created_xid()


class WebhookDelivery(Base):
    """A message on its way to an endpoint, or given up. Once delivered, only its attempts remain."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("state in ('open', 'exhausted')", name="state"),
        Index(
            "ix_webhook_deliveries_due",
            "endpoint_id",
            "next_attempt_at",
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_webhook_deliveries_exhausted",
            "endpoint_id",
            "id",
            postgresql_where=text("state = 'exhausted'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text("uuidv7()"))
    message_id: Mapped[UUID] = mapped_column(Uuid)
    endpoint_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="open")
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    replay_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
    created_xid: Mapped[int] = created_xid()


webhook_attempts = Table(
    "webhook_attempts",
    Base.metadata,
    Column("delivery_id", Uuid, nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("endpoint_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", DateTime(True), nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("failure", Text),
    Column("detail", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("response", Text, nullable=False, server_default=""),
    Column("created_xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("delivery_xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Index("ix_webhook_attempts_endpoint_id", "endpoint_id", "delivery_id", postgresql_include=["message_id"]),
)
"""What was tried, a partition for each day; a key would cost more than it is good for. Written once, but for
`response`, which goes with the person it is about. `delivery_xid` made the delivery."""


class WebhookLive(Base):
    """Who was last told of as live, where an endpoint asks for that."""

    __tablename__ = "webhook_live"

    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"), index=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entries.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime] = mapped_column(DateTime(True))


class WebhookTotal(Base):
    """Counters that only grow."""

    __tablename__ = "webhook_totals"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class WebhookReplay(Base):
    """Messages of a span of time sent once more; `place` is the last message that was looked at."""

    __tablename__ = "webhook_replays"
    __table_args__ = (
        CheckConstraint("state in ('running', 'done', 'cancelled')", name="state"),
        Index("ix_webhook_replays_integration_id", "integration_id", "created_at"),
        Index("ix_webhook_replays_running", "created_at", postgresql_where=text("state = 'running'")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    integration_id: Mapped[str] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"))
    endpoint_id: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(DateTime(True))
    until: Mapped[datetime] = mapped_column(DateTime(True))
    type: Mapped[str | None] = mapped_column(Text)
    only_exhausted: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(Text, server_default="running")
    place: Mapped[UUID | None] = mapped_column(Uuid)
    total: Mapped[int] = mapped_column(Integer)
    made: Mapped[int] = mapped_column(Integer, server_default="0")
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True))
    created_xid: Mapped[int] = created_xid()
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(True))
