"""Writing the audit trail, and reading what was done to one subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from api.core.audit.models import AuditRow


@dataclass(frozen=True, slots=True)
class AuditedAct:
    actor: str
    at: datetime
    detail: Mapping[str, Any]


def record(
    session: Session, actor: str, action: str, subject: str, now: datetime, detail: Mapping[str, Any] = {}
) -> None:
    """Note that `actor` did `action` (`keys.rotate`, `entries.accept`, …) to `subject`, an id."""
    session.execute(
        insert(AuditRow).values(actor=actor, action=action, subject=subject, detail=dict(detail), at=now)
    )


def newest(session: Session, subject: str, action: str, limit: int) -> Sequence[AuditedAct]:
    """Newest first."""
    rows = session.scalars(
        select(AuditRow)
        .where(AuditRow.subject == subject, AuditRow.action == action)
        .order_by(AuditRow.at.desc(), AuditRow.id.desc())
        .limit(limit)
    )
    return [AuditedAct(row.actor, row.at, row.detail) for row in rows]
