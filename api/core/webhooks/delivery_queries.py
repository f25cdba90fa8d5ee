"""SQL of the queue of deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

# Endpoints that have something open, found by skipping from one to the next in the index; those that another
# worker is claiming for are passed over. The row is held so that two claims never serve one endpoint.
_CANDIDATES = text("""
with recursive waiting(endpoint_id) as (
    select min(endpoint_id) from webhook_deliveries where state = 'open' and claim_id is null
    union all
    select (select min(endpoint_id) from webhook_deliveries
            where state = 'open' and claim_id is null and endpoint_id > waiting.endpoint_id)
    from waiting where waiting.endpoint_id is not null
)
select e.id, e.integration_id, e.url, e.concurrency, e.rate, e.tokens, e.tokens_at,
       e.failures, e.failing_since, e.not_before
from waiting join webhook_endpoints as e on e.id = waiting.endpoint_id
where e.state = 'enabled' and (e.not_before is null or e.not_before <= :now)
and exists (
    select from webhook_deliveries as d
    where d.endpoint_id = e.id and d.state = 'open' and d.claim_id is null and d.next_attempt_at <= :now
)
and not exists (
    select from webhook_deliveries as d where d.endpoint_id = e.id and d.claim_id is not null
)
order by e.id <= :behind, e.id
limit :most
for no key update of e skip locked
""")

_CLAIM = text("""
with picked as (
    select d.id, d.message_id
    from unnest(cast(:endpoints as text[]), cast(:quotas as integer[])) as asked(endpoint_id, quota)
    cross join lateral (
        select id, message_id from webhook_deliveries
        where endpoint_id = asked.endpoint_id and state = 'open' and claim_id is null
        and next_attempt_at <= :now
        order by next_attempt_at limit asked.quota for update skip locked
    ) as d
    where not exists (
        select from webhook_deliveries as b where b.endpoint_id = asked.endpoint_id and b.claim_id is not null
    )
    limit :most
)
update webhook_deliveries as d set claim_id = :claim, claimed_until = :until
from picked join webhook_messages as m on m.id = picked.message_id
where d.id = picked.id
returning d.id, d.message_id, d.endpoint_id, d.attempts, d.created_at, m.body
""")

_SPEND = text("""
update webhook_endpoints as e set tokens = spent.tokens, tokens_at = :now
from unnest(cast(:endpoints as text[]), cast(:tokens as double precision[])) as spent(id, tokens)
where e.id = spent.id
""")

_REAP = text("""
update webhook_deliveries set claim_id = null, claimed_until = null
where claim_id is not null and claimed_until < :now
""")

_SETTLE = text("""
with given as (
    select * from unnest(
        cast(:id as uuid[]), cast(:claim_id as uuid[]), cast(:outcome as text[]),
        cast(:attempts as integer[]), cast(:next_attempt_at as timestamptz[]), cast(:at as timestamptz[]),
        cast(:latency_ms as integer[]), cast(:status as integer[]), cast(:failure as text[]),
        cast(:detail as text[]), cast(:address as text[]), cast(:response as text[])
    ) as g(id, claim_id, outcome, attempts, next_attempt_at, at, latency_ms, status, failure, detail,
           address, response)
), done as (
    delete from webhook_deliveries as d using given as g
    where d.id = g.id and d.claim_id = g.claim_id and g.outcome = 'delivered'
    returning d.id, d.message_id, d.endpoint_id
), kept as (
    update webhook_deliveries as d set
        state = case when g.outcome = 'exhausted' then 'exhausted' else 'open' end,
        attempts = g.attempts, next_attempt_at = coalesce(g.next_attempt_at, d.next_attempt_at),
        claim_id = null, claimed_until = null
    from given as g
    where d.id = g.id and d.claim_id = g.claim_id and g.outcome <> 'delivered'
    returning d.id, d.message_id, d.endpoint_id
), settled as (
    select * from done union all select * from kept
), noted as (
    insert into webhook_attempts (delivery_id, message_id, endpoint_id, number, outcome, at, latency_ms,
                                  status, failure, detail, address, response)
    select s.id, s.message_id, s.endpoint_id, g.attempts, g.outcome, g.at, g.latency_ms, g.status, g.failure,
           g.detail, g.address, g.response
    from settled as s join given as g on g.id = s.id where g.outcome <> 'released'
)
select id from settled
""")

_HOLD_ENDPOINTS = text("""
select id, integration_id, state, failures, failing_since, not_before from webhook_endpoints
where id = any(:ids) order by id for no key update
""")

_HEALTH = text("""
update webhook_endpoints set failures = :failures, failing_since = :failing_since, not_before = :not_before,
    state = case when :disabled = '' or state <> 'enabled' then state else 'disabled' end,
    disabled_reason = case when :disabled = '' then disabled_reason else :disabled end
where id = :id
""")

_STANDING = text("""
select count(*) filter (where e.state = 'enabled') as due,
       min(d.next_attempt_at) filter (
           where e.state = 'enabled' and (e.not_before is null or e.not_before <= :now)
       ) as oldest_due,
       count(*) filter (where e.state <> 'enabled') as disabled,
       count(*) filter (where e.not_before > :now) as slowed
from webhook_deliveries as d join webhook_endpoints as e on e.id = d.endpoint_id
where d.state = 'open' and d.next_attempt_at <= :now
and not (e.integration_id = any(cast(:held as text[])))
""")

_HELD = text("""
select count(*) from webhook_deliveries as d join webhook_endpoints as e on e.id = d.endpoint_id
where d.state = 'open' and d.next_attempt_at <= :now and e.integration_id = any(cast(:held as text[]))
""")

_INTEGRATIONS = text("select distinct integration_id from webhook_endpoints where state <> 'removed'")
_CLOCK = text("select clock_timestamp()")


def clock(session: Session) -> datetime:
    """The database's: workers whose own clocks differ agree on it."""
    return session.scalars(_CLOCK).one()


def candidates(session: Session, now: datetime, behind: str, most: int) -> Sequence[RowMapping]:
    """Endpoints with something due, beginning behind one of them; held until the transaction ends."""
    return session.execute(_CANDIDATES, {"now": now, "behind": behind, "most": most}).mappings().all()


def claim(
    session: Session, quotas: Mapping[str, int], claim_id: UUID, now: datetime, until: datetime, most: int
) -> Sequence[RowMapping]:
    given = {"endpoints": list(quotas), "quotas": list(quotas.values()), "now": now, "most": most}
    return session.execute(_CLAIM, given | {"claim": claim_id, "until": until}).mappings().all()


def spend(session: Session, tokens: Mapping[str, float], now: datetime) -> None:
    session.execute(_SPEND, {"endpoints": list(tokens), "tokens": list(tokens.values()), "now": now})


def reap(session: Session, now: datetime) -> None:
    """What a worker claimed and never settled is due again."""
    session.execute(_REAP, {"now": now})


def settle(session: Session, columns: Mapping[str, list[Any]]) -> set[UUID]:
    """The deliveries that were still the caller's."""
    return set(session.scalars(_SETTLE, dict(columns)))


def hold_endpoints(session: Session, ids: Sequence[str]) -> Sequence[RowMapping]:
    return session.execute(_HOLD_ENDPOINTS, {"ids": list(ids)}).mappings().all()


def put_health(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(_HEALTH, dict(values))


def standing(session: Session, now: datetime, held: Sequence[str]) -> RowMapping:
    return session.execute(_STANDING, {"now": now, "held": list(held)}).mappings().one()


def held(session: Session, now: datetime, integrations: Sequence[str]) -> int:
    return session.execute(_HELD, {"now": now, "held": list(integrations)}).scalar_one()


def integrations(session: Session) -> Sequence[str]:
    """Those that have an endpoint."""
    return session.scalars(_INTEGRATIONS).all()
