"""That a loop is alive, as it says itself: one row for each, so that its silence can be noticed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Double, Text, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from api.db.base import Base

WEBHOOK_DISPATCHER = "webhook-dispatcher"
WEBHOOK_RETRIES = "webhook-retries"


class Heartbeat(Base):
    """`every_seconds` is how often the loop means to beat."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    beaten_at: Mapped[datetime] = mapped_column(DateTime(True))
    every_seconds: Mapped[float] = mapped_column(Double)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


def beat(session: Session, name: str, now: datetime, every_seconds: float, detail: Mapping[str, Any]) -> None:
    fields = {"beaten_at": now, "every_seconds": every_seconds, "detail": dict(detail)}
    row = upsert(Heartbeat).values(name=name, **fields)
    session.execute(row.on_conflict_do_update(index_elements=[Heartbeat.name], set_=fields))


def known(session: Session) -> Sequence[Heartbeat]:
    return session.scalars(select(Heartbeat).order_by(Heartbeat.name)).all()
