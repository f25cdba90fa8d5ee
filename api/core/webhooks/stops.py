"""What the incident watch asks of deliveries: which were given up of late, and is any being claimed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.orm import Session

# By endpoint and delivery: that is how attempts are found, a partition a day.
_GIVEN_UP = text("""
select a.at, e.integration_id, e.url
from webhook_deliveries as d
join webhook_endpoints as e on e.id = d.endpoint_id
join webhook_attempts as a on a.endpoint_id = d.endpoint_id and a.delivery_id = d.id
join integrations as i on i.id = e.integration_id join spaces as s on s.id = i.space_id
where d.state = 'exhausted' and a.outcome = 'exhausted' and a.at >= :since and not s.synthetic
order by a.at
""")

# Each claim of an endpoint's lane has the next number.
_CLAIMS = text("""
select coalesce(sum(newest), 0)::bigint
from (select max(claim_id) as newest from webhook_lanes group by endpoint_id) as lanes
""")


@dataclass(frozen=True, slots=True)
class GivenUp:
    at: datetime
    integration_id: str
    host: str


def given_up(session: Session, since: datetime) -> Sequence[GivenUp]:
    """Oldest first. One that is sent again is given up no more."""
    rows = session.execute(_GIVEN_UP, {"since": since})
    return [GivenUp(row.at, row.integration_id, urlsplit(row.url).hostname or "") for row in rows]


def claims(session: Session) -> int:
    """How often anything was ever claimed: the same number twice means that nothing was in between."""
    return session.scalars(_CLAIMS).one()
