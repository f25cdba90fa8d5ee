"""Tables of drills, in schema `ops`: what operations know about the product, kept apart from the product."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Float, Identity, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.db.base import NAMING


class OpsBase(DeclarativeBase):
    metadata = MetaData(schema="ops", naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        datetime: DateTime(timezone=True),
        str: Text,
        float: Float,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Drill(OpsBase):
    """A drill from its first second on. What has to be undone is written here before it is done."""

    __tablename__ = "drills"

    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    phase: Mapped[str]
    trigger: Mapped[str]
    flow_run_id: Mapped[str | None]
    asked_target: Mapped[str]
    target_time: Mapped[datetime | None]
    restore_point: Mapped[str | None]
    rto_target: Mapped[float]
    rpo_target: Mapped[float]
    check_names: Mapped[list[Any]]
    keep_until: Mapped[datetime | None]
    database_name: Mapped[str | None]
    database: Mapped[dict[str, Any] | None]
    staging_home: Mapped[str | None]
    staging_restored_at: Mapped[datetime | None]
    database_destroyed_at: Mapped[datetime | None]
    rto_seconds: Mapped[float | None]
    rto_parts: Mapped[dict[str, Any]]
    rpo_seconds: Mapped[float | None]
    rpo_parts: Mapped[dict[str, Any]]
    checks: Mapped[list[Any]]
    issues: Mapped[list[Any]]
    next_step: Mapped[str]
    evidence_id: Mapped[str | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class BeaconRow(OpsBase):
    __tablename__ = "beacons"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    lsn: Mapped[str]
    snapshot: Mapped[str]
    sample: Mapped[dict[str, Any]]


class FingerprintRow(OpsBase):
    __tablename__ = "fingerprints"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    snapshot: Mapped[str]
    tables: Mapped[dict[str, Any]]
    facts: Mapped[dict[str, Any]]
