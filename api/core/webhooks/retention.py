"""What is kept of deliveries, and for how long: whole days of attempts, then messages nobody waits for."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.webhooks import history_queries

KEEP = timedelta(days=30)
_AHEAD = timedelta(days=7)


def prune(session: Session, now: datetime) -> int:
    """How many messages and days of attempts went. Makes room for the days to come. A delivery that was held
    all that time is given up, not dropped."""
    history_queries.keep_days(session, now, now + _AHEAD)
    history_queries.give_up(session, now - KEEP)
    days = history_queries.drop_days(session, now - KEEP)
    return days + history_queries.drop_messages(session, now - KEEP)
