"""The table of tombstones: who was deleted, so that a restored copy forgets them too. No personal data.

`user_id`, `entry_id` and `space_id` are random ids of ours that stand for nobody any more. `removed` holds
for each table `[{xid, hash}]` of the rows that went, of webhooks with the `id`: by them a fingerprint taken
just before is still exact. A hash could confirm a guess only to someone who knows the rest of the row, and
goes with the second fingerprint after the deletion (`api.core.drills.beacons`), within minutes.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.db.base import Base, created_xid


class Tombstone(Base):
    __tablename__ = "tombstones"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, unique=True)
    entry_id: Mapped[str] = mapped_column(Text)
    space_id: Mapped[str] = mapped_column(Text)
    deleted_at: Mapped[datetime] = mapped_column(DateTime(True), index=True)
    deleted_by: Mapped[str] = mapped_column(Text)
    removed: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_xid: Mapped[int] = created_xid()
