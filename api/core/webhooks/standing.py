"""How the queue stands: what is due and how old the oldest of it is; what is held on purpose, apart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.webhooks import delivery_queries, history_queries


@dataclass(frozen=True, slots=True)
class Standing:
    """`due` waits for a dispatcher; `oldest_due` of those alone. `held` by a pause, `slowed` by a breaker, by
    the endpoint's rate or by how slowly it takes what is in flight, `disabled` with their endpoint."""

    due: int
    oldest_due: datetime | None
    in_flight: int
    held: int
    slowed: int
    disabled: int
    exhausted: int

    def oldest_age(self, now: datetime) -> timedelta:
        return max(now - self.oldest_due, timedelta(0)) if self.oldest_due else timedelta(0)


def database_now(session: Session) -> datetime:
    """The database's clock, which is what schedules and leases go by."""
    return delivery_queries.clock(session)


def standing(session: Session, now: datetime, may_send: Callable[[str], bool]) -> Standing:
    """Counts everything that is due: not for every second."""
    paused = _paused(session, may_send)
    found = delivery_queries.standing(session, now, paused)
    return Standing(
        due=found["due"],
        oldest_due=delivery_queries.oldest_due(session, now, paused),
        in_flight=found["in_flight"],
        held=found["held"],
        slowed=found["slowed"],
        disabled=found["disabled"],
        exhausted=history_queries.exhausted(session),
    )


def oldest_due(session: Session, now: datetime, may_send: Callable[[str], bool]) -> datetime | None:
    """What the SLO is about; cheap whatever lies in the queue."""
    return delivery_queries.oldest_due(session, now, _paused(session, may_send))


def _paused(session: Session, may_send: Callable[[str], bool]) -> list[str]:
    return [one for one in delivery_queries.integrations(session) if not may_send(one)]
