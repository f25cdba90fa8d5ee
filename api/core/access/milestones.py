"""The first time that a partner's integration really did each thing: what turns its checklist green."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from api.core.access import queries

Key = Literal["first_call", "waitlist_start", "exchange", "heartbeat", "widget_token", "webhook_test"]


def reached(session: Session, integration_id: str, key: Key, now: datetime) -> None:
    """Remember the first time; later ones change nothing."""
    queries.note_milestone(session, integration_id, key, now)


def of(session: Session, integration_id: str) -> Mapping[str, datetime]:
    """When each was reached; what was not is not in it."""
    return queries.milestones(session, integration_id)
