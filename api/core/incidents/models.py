"""Tables of the incident watch: what was observed, what the rules made of it, what was done."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base


class ExchangeMinute(Base):
    """What one process counted in one minute; `seen_*` are its counters as it reported them last."""

    __tablename__ = "exchange_minutes"

    minute: Mapped[datetime] = mapped_column(DateTime(True), primary_key=True)
    integration_id: Mapped[str] = mapped_column(Text, primary_key=True)
    instance: Mapped[str] = mapped_column(Text, primary_key=True)
    failed: Mapped[int] = mapped_column(BigInteger)
    attempted: Mapped[int] = mapped_column(BigInteger)
    seen_failed: Mapped[int] = mapped_column(BigInteger)
    seen_attempted: Mapped[int] = mapped_column(BigInteger)


class QuarantinedMinute(Base):
    """What came with a time that had not come yet: kept, counted, and never judged."""

    __tablename__ = "exchange_quarantine"

    minute: Mapped[datetime] = mapped_column(DateTime(True), primary_key=True)
    integration_id: Mapped[str] = mapped_column(Text, primary_key=True)
    instance: Mapped[str] = mapped_column(Text, primary_key=True)
    failed: Mapped[int] = mapped_column(BigInteger)
    attempted: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(DateTime(True))


class ApiInstance(Base):
    """An API process as it said of itself last. `flags`: fingerprint of the switches that it goes by."""

    __tablename__ = "api_instances"

    instance: Mapped[str] = mapped_column(Text, primary_key=True)
    release: Mapped[str] = mapped_column(Text)
    deploy_id: Mapped[str] = mapped_column(Text)
    flags: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(DateTime(True))


class ReadinessProbe(Base):
    """What the watcher saw of `readyz`, from outside."""

    __tablename__ = "readiness_probes"

    at: Mapped[datetime] = mapped_column(DateTime(True), primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)


class Standing(Base):
    """The newest verdict of a rule in a scope, and how far its observations have been judged."""

    __tablename__ = "incident_standings"

    rule: Mapped[str] = mapped_column(Text, primary_key=True)
    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    verdict: Mapped[str] = mapped_column(Text)
    judged_at: Mapped[datetime] = mapped_column(DateTime(True))
    observed_until: Mapped[datetime] = mapped_column(DateTime(True))
    numbers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    paged: Mapped[str] = mapped_column(Text, server_default="")


class Override(Base):
    """A rule's mode for a while, on somebody's word."""

    __tablename__ = "incident_overrides"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    rule: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(True))


class Episode(Base):
    """One trip, from its first bad minute until a person says that it is over."""

    __tablename__ = "incident_episodes"
    __table_args__ = (
        UniqueConstraint("rule", "scope", "number"),
        Index(
            "uq_incident_episodes_open",
            "rule",
            "scope",
            unique=True,
            postgresql_where=text("resolved_at is null"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    rule: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(Integer)
    mode: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(DateTime(True))
    tripped_at: Mapped[datetime] = mapped_column(DateTime(True))
    numbers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    verified_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    helped: Mapped[bool | None] = mapped_column(Boolean)
    proposed_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    resolved_by: Mapped[str | None] = mapped_column(Text)


class Action(Base):
    """What an episode makes somebody do, once: planned → acting → acted → observed, or failed. In
    the order of `place`."""

    __tablename__ = "incident_actions"
    __table_args__ = (UniqueConstraint("episode_id", "kind", "target"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("incident_episodes.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    place: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    claim_id: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    acted_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    acted_by: Mapped[str] = mapped_column(Text, server_default="")
    observed_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(True))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class TimelineEntry(Base):
    """What happened in an episode, in the order of its writing."""

    __tablename__ = "incident_timeline"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("incident_episodes.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(DateTime(True))
    kind: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    said: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(True), server_default=func.now())
