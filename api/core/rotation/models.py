"""Tables of rotations, in schema `ops`. No row holds a value; what one has to be shown is sealed, and only
until somebody has seen it."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Float, Integer, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.db.base import NAMING


class RotationBase(DeclarativeBase):
    metadata = MetaData(schema="ops", naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        datetime: DateTime(timezone=True),
        str: Text,
        int: Integer,
        float: Float,
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class RotationRow(RotationBase):
    """`step` is the next to take. `handover` is the new value for whoever is to see it, `witness` something
    the old one made, to be refused later: both sealed, both gone in the end. `detail`: ids, never values."""

    __tablename__ = "rotations"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    mode: Mapped[str]
    state: Mapped[str]
    step: Mapped[str]
    from_version: Mapped[int]
    to_version: Mapped[int]
    grace_seconds: Mapped[float]
    asked_by: Mapped[str]
    reason: Mapped[str]
    flow_run_id: Mapped[str | None]
    problem: Mapped[str]
    detail: Mapped[dict[str, Any]]
    proofs: Mapped[list[Any]]
    handover: Mapped[bytes | None]
    witness: Mapped[bytes | None]
    handed_over_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    proven_at: Mapped[datetime | None]
    overlap_until: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    step_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SecretVersionRow(RotationBase):
    """One version of a secret: `reference` says which it is elsewhere (a key's id), never what it is."""

    __tablename__ = "secret_versions"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    reference: Mapped[str]
    stage: Mapped[str]
    made_by: Mapped[str]
    minted_at: Mapped[datetime]
    current_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class SecretReaderRow(RotationBase):
    """A running process, and the fingerprints of what it accepts: its first choice first."""

    __tablename__ = "secret_readers"

    process: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    rings: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]
