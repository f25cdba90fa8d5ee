"""Tables of alerts: episodes, what each has seen, outbox, channels, codes, silences, heartbeats, counts.

An episode is one alert from its opening to its end; at most one of an identity is open.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Alert(Base):
    __tablename__ = "alerts"
    __table_args__ = (
        Index("uq_alerts_open", "identity", unique=True, postgresql_where=text("resolved_at is null")),
        Index("ix_alerts_opened_at", "opened_at"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    identity: Mapped[str] = mapped_column(Text)
    env: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    app_id: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")
    seen: Mapped[int] = mapped_column(BigInteger, server_default="1")
    opened_at: Mapped[datetime] = mapped_column(DateTime(True))
    last_seen_at: Mapped[datetime] = mapped_column(DateTime(True))
    notified_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    acknowledged_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    created_xid: Mapped[int] = created_xid()


class Occurrence(Base):
    """Each thing that a group holds: never dropped while its episode is kept."""

    __tablename__ = "alert_occurrences"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(DateTime(True))
    detail: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")
    created_xid: Mapped[int] = created_xid()


class Outgoing(Base):
    """The outbox. `state`: due, sent, given_up, dropped. `channel` is the first that may carry it."""

    __tablename__ = "alert_messages"
    __table_args__ = (
        Index("ix_alert_messages_due", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_alert_messages_alert_id", "alert_id"),
        Index(
            "uq_alert_messages_pending",
            "alert_id",
            unique=True,
            postgresql_where=text("state = 'due' and kind <> 'resolved'"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="due")
    channel: Mapped[str] = mapped_column(Text, server_default="primary")
    due_at: Mapped[datetime] = mapped_column(DateTime(True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    first_tried_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    claim_id: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    sent_by: Mapped[str | None] = mapped_column(Text)
    receipt: Mapped[str | None] = mapped_column(Text)
    read_back_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    problem: Mapped[str | None] = mapped_column(Text)
    created_xid: Mapped[int] = created_xid()


class Channel(Base):
    """`name`: primary or fallback. A new address (`fingerprint`) is a new, living channel."""

    __tablename__ = "alert_channels"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    next_send_at: Mapped[datetime] = mapped_column(DateTime(True))
    dead_since: Mapped[datetime | None] = mapped_column(DateTime(True))
    problem: Mapped[str | None] = mapped_column(Text)


class AckCode(Base):
    """A single-use code, made at each sending; only its hash is kept."""

    __tablename__ = "alert_ack_codes"

    code_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    used_by: Mapped[str | None] = mapped_column(Text)
    created_xid: Mapped[int] = created_xid()


class Silence(Base):
    """An empty rule, scope or app_id covers all of them."""

    __tablename__ = "alert_silences"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    rule: Mapped[str] = mapped_column(Text, server_default="")
    scope: Mapped[str] = mapped_column(Text, server_default="")
    app_id: Mapped[str] = mapped_column(Text, server_default="")
    owner: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(True))
    created_xid: Mapped[int] = created_xid()


class Heartbeat(Base):
    """A loop's last sign of life, and how long it may be silent. `since`: of the checker, see `watching`."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    beat_at: Mapped[datetime] = mapped_column(DateTime(True))
    silence_seconds: Mapped[float]
    since: Mapped[datetime] = mapped_column(DateTime(True))


class WatcherReport(Base):
    """The watcher's last one: when it came, and whether a dead-man switch hears the watcher."""

    __tablename__ = "watcher_reports"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    reported_at: Mapped[datetime] = mapped_column(DateTime(True))
    dead_man: Mapped[bool]
    dead_man_ok_at: Mapped[datetime | None] = mapped_column(DateTime(True))


class AnswerMinute(Base):
    """Answers of all API processes in one minute, and how many of them were 5xx."""

    __tablename__ = "answer_minutes"

    minute: Mapped[datetime] = mapped_column(DateTime(True), primary_key=True)
    answers: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
