"""Writing the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from api.core.audit.models import AuditRow


def record(
    session: Session, actor: str, action: str, subject: str, now: datetime, detail: Mapping[str, Any] = {}
) -> None:
    """Note that `actor` did `action` (`keys.rotate`, `entries.accept`, …) to `subject`, an id."""
    session.execute(
        insert(AuditRow).values(actor=actor, action=action, subject=subject, detail=dict(detail), at=now)
    )
