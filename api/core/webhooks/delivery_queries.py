"""SQL of the queue of deliveries: lanes are held, deliveries taken from them and settled."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from api.db.engine import driver_connection

LAG = timedelta(seconds=5)

# Endpoints with something due in lanes that nobody holds, in the order of their ids. Each is asked by three
# steps down an index, whatever lies in the queue, and whatever is gone and kept from being cleared away by a
# long snapshot. A lease that ran out may have left something behind the watermark.
_CANDIDATES = """
select e.id, e.integration_id, e.url, e.concurrency, e.rate, e.failures, e.failing_since, e.not_before,
       lane.claim_id, lane.tokens, lane.tokens_at, lane.since
from webhook_endpoints as e
cross join lateral (
    select claim_id, claimed_until, tokens, tokens_at,
           case when claimed_until is null then watermark end as since
    from webhook_lanes where endpoint_id = e.id order by claim_id desc limit 1
) as lane
cross join lateral (
    select from webhook_deliveries
    where endpoint_id = e.id and state = 'open' and next_attempt_at <= %(now)s
    and next_attempt_at >= coalesce(lane.since, '-infinity') limit 1
) as due
where e.id > %(behind)s and e.id <= %(last)s and e.state = 'enabled'
and (e.not_before is null or e.not_before <= %(now)s)
and (lane.claimed_until is null or lane.claimed_until < %(now)s)
order by e.id limit %(most)s
"""

# Who else is claiming is passed over; who claimed in between has raised the number.
_HOLD_LANES = """
select l.endpoint_id
from unnest(cast(%(endpoints)s as text[]), cast(%(claims)s as bigint[])) as asked(endpoint_id, claim_id)
join webhook_lanes as l on l.endpoint_id = asked.endpoint_id and l.claim_id = asked.claim_id
where l.claimed_until is null or l.claimed_until < %(now)s
for no key update of l skip locked
"""

# A transaction that began up to `LAG` ago may yet commit what is due since then.
_TAKE = """
with asked as (
    select * from unnest(
        cast(%(endpoints)s as text[]), cast(%(claims)s as bigint[]), cast(%(quotas)s as integer[]),
        cast(%(tokens)s as double precision[]), cast(%(since)s as timestamptz[])
    ) with ordinality as asked(endpoint_id, claim_id, quota, tokens, since, place)
), picked as materialized (
    select asked.endpoint_id, asked.place, d.*
    from asked cross join lateral (
        select id, message_id, attempts, created_at, next_attempt_at from webhook_deliveries
        where endpoint_id = asked.endpoint_id and state = 'open' and next_attempt_at <= %(now)s
        and next_attempt_at >= coalesce(asked.since, '-infinity')
        order by next_attempt_at limit asked.quota
    ) as d
    limit %(most)s
), taken as (
    update webhook_lanes as l set
        claim_id = l.claim_id + 1, claimed_until = %(until)s, claimed_to = p.last, claimed = p.count,
        watermark = least(p.last, %(now)s - %(lag)s), tokens = asked.tokens - p.count, tokens_at = %(now)s
    from (
        select endpoint_id, count(*) as count, max(next_attempt_at) as last from picked group by endpoint_id
    ) as p join asked on asked.endpoint_id = p.endpoint_id
    where l.endpoint_id = asked.endpoint_id and l.claim_id = asked.claim_id
)
select cast(p.id as text), 'msg_' || replace(cast(p.message_id as text), '-', ''), p.endpoint_id, p.attempts,
       p.created_at, m.body
from picked as p join webhook_messages as m on m.id = p.message_id
order by p.place, p.next_attempt_at
"""

_SWEEP = text("""
update webhook_lanes as l set watermark = missed.first
from webhook_endpoints as e
cross join lateral (
    select claim_id, watermark from webhook_lanes where endpoint_id = e.id order by claim_id desc limit 1
) as lane
cross join lateral (
    select min(next_attempt_at) as first from webhook_deliveries
    where endpoint_id = e.id and state = 'open' and next_attempt_at < lane.watermark
) as missed
where l.endpoint_id = e.id and l.claim_id = lane.claim_id and missed.first is not null
""")

# A clock that was ahead and is set back: a lease that no claim of now could have, a bucket that would not be
# filled. Who holds the lane, if anybody, has as long as any other.
_SET_BACK = text("""
update webhook_lanes set tokens_at = least(tokens_at, :now),
    claimed_until = case when claimed_until is not null then least(claimed_until, :now + :lease) end
where claimed_until > :now + 2 * :lease or tokens_at > :now + :lease
""")

_SETTLE = """
with given as (
    select * from json_to_recordset(cast(%(tried)s as json)) as g(
        id uuid, endpoint_id text, claim_id bigint, outcome text, attempts integer,
        next_attempt_at timestamptz, at timestamptz, latency_ms integer, status integer, failure text,
        detail text, address text, response text
    )
), held as (
    update webhook_lanes as l set
        claimed = l.claimed - g.count,
        claimed_until = case when l.claimed > g.count then l.claimed_until end
    from (select endpoint_id, claim_id, count(*) as count from given group by 1, 2) as g
    where l.endpoint_id = g.endpoint_id and l.claim_id = g.claim_id and l.claimed_until is not null
    returning l.endpoint_id, l.claim_id
), mine as materialized (
    select given.* from given join held using (endpoint_id, claim_id)
), done as (
    delete from webhook_deliveries as d using mine as g
    where d.id = g.id and g.outcome = 'delivered'
    returning d.message_id, d.created_xid, g.*
), kept as (
    update webhook_deliveries as d set
        state = case when g.outcome = 'exhausted' then 'exhausted' else 'open' end,
        attempts = g.attempts, next_attempt_at = coalesce(g.next_attempt_at, d.next_attempt_at)
    from mine as g where d.id = g.id and g.outcome <> 'delivered'
    returning d.message_id, d.created_xid, g.*
), settled as (
    select * from done union all select * from kept
), noted as (
    insert into webhook_attempts (delivery_id, message_id, endpoint_id, number, outcome, at, latency_ms,
                                  status, failure, detail, address, response, delivery_xid)
    select id, message_id, endpoint_id, attempts, outcome, at, coalesce(latency_ms, 0), status, failure,
           coalesce(detail, ''), coalesce(address, ''), coalesce(response, ''), created_xid
    from settled where outcome <> 'released'
)
select cast(g.id as text), g.claim_id from given as g
where not exists (select from settled as s where s.id = g.id and s.claim_id = g.claim_id)
"""

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

# How an endpoint stands. `slowed`: by its breaker or its own wish, by a bucket that was emptied just now, or
# because it takes what is in flight no faster. The smoke test's own is in no number.
_STANDS = """
select e.id, case
        when e.integration_id = any(cast(:held as text[])) then 'held'
        when e.state <> 'enabled' then 'disabled'
        when e.not_before > :now or lane.claimed_until > :now
            or (lane.tokens < 1 and lane.tokens_at > :now - interval '60 s') then 'slowed'
        else 'due'
    end as stands,
    case when lane.claimed_until > :now then lane.claimed else 0 end as in_flight
from webhook_endpoints as e
cross join lateral (
    select claimed_until, claimed, tokens, tokens_at from webhook_lanes
    where endpoint_id = e.id order by claim_id desc limit 1
) as lane
where e.state <> 'removed' and e.integration_id not in (
    select i.id from integrations as i join spaces as s on s.id = i.space_id where s.synthetic)
"""
_STANDING = text(f"""
select coalesce(sum(d.open) filter (where e.stands = 'due'), 0)::bigint as due,
       coalesce(sum(greatest(d.open - e.in_flight, 0)) filter (where e.stands = 'slowed'), 0)::bigint
           as slowed,
       coalesce(sum(d.open) filter (where e.stands = 'held'), 0)::bigint as held,
       coalesce(sum(d.open) filter (where e.stands = 'disabled'), 0)::bigint as disabled,
       coalesce(sum(least(d.open, e.in_flight)), 0)::bigint as in_flight
from ({_STANDS}) as e
cross join lateral (
    select count(*) as open from webhook_deliveries
    where endpoint_id = e.id and state = 'open' and next_attempt_at <= :now
) as d
""")  # noqa: S608  the only inserted text is above
_OLDEST_DUE = text(f"""
select min(d.next_attempt_at) from ({_STANDS}) as e
cross join lateral (
    select next_attempt_at from webhook_deliveries
    where endpoint_id = e.id and state = 'open' and next_attempt_at <= :now
    order by next_attempt_at limit 1
) as d
where e.stands = 'due'
""")  # noqa: S608  the only inserted text is above

_INTEGRATIONS = text("select distinct integration_id from webhook_endpoints where state <> 'removed'")
_CLOCK = "select clock_timestamp()"


class Candidate(NamedTuple):
    """An endpoint with something due and nobody at it; `since` is where in its queue to begin."""

    id: str
    integration_id: str
    url: str
    concurrency: int
    rate: float
    failures: int
    failing_since: datetime | None
    not_before: datetime | None
    claim_id: int
    tokens: float
    tokens_at: datetime
    since: datetime | None


def clock(session: Session) -> datetime:
    """The database's: workers whose own clocks differ agree on it."""
    ((now,),) = driver_connection(session).execute(_CLOCK, binary=True)
    return now


def candidates(session: Session, now: datetime, behind: str, last: str, most: int) -> Sequence[Candidate]:
    """From behind one endpoint up to another one, in the order of their ids."""
    given = {"now": now, "behind": behind, "last": last, "most": most}
    rows = driver_connection(session).execute(_CANDIDATES, given, binary=True)
    return [Candidate._make(row) for row in rows]


def hold_lanes(session: Session, claims: Mapping[str, int], now: datetime) -> set[str]:
    """Those that are the caller's until the transaction ends. `claims` says how often each was claimed."""
    given = {"endpoints": list(claims), "claims": list(claims.values()), "now": now}
    return {endpoint for (endpoint,) in driver_connection(session).execute(_HOLD_LANES, given)}


def take(
    session: Session, columns: Mapping[str, list[Any]], now: datetime, until: datetime, most: int
) -> Sequence[tuple[Any, ...]]:
    """(id, `msg_…`, endpoint's id, attempts, created at, body) from lanes that are held, in the order
    given, the longest due first."""
    given = {**columns, "now": now, "until": until, "most": most, "lag": LAG}
    return driver_connection(session).execute(_TAKE, given, binary=True).fetchall()


def sweep(session: Session) -> None:
    """Whatever is due behind a watermark comes before it again."""
    session.execute(_SWEEP)


def set_back(session: Session, now: datetime, lease: timedelta) -> None:
    """Lanes that were held by a clock that was far ahead are held no longer than by this one."""
    session.execute(_SET_BACK, {"now": now, "lease": lease})


def settle(session: Session, tried: str) -> set[tuple[str, int]]:
    """The deliveries that were the caller's no more, each with its claim. `tried` is a document, without
    what is empty: arrays of a dozen columns take the driver longer than all else that a delivery costs it."""
    lost = driver_connection(session).execute(_SETTLE, {"tried": tried})
    return {(delivery_id, claim_id) for delivery_id, claim_id in lost}


def hold_endpoints(session: Session, ids: Sequence[str]) -> Sequence[RowMapping]:
    return session.execute(_HOLD_ENDPOINTS, {"ids": list(ids)}).mappings().all()


def put_health(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(_HEALTH, dict(values))


def standing(session: Session, now: datetime, held: Sequence[str]) -> RowMapping:
    """Counts what is open and due."""
    return session.execute(_STANDING, {"now": now, "held": list(held)}).mappings().one()


def oldest_due(session: Session, now: datetime, held: Sequence[str]) -> datetime | None:
    """Of what waits for nobody but a dispatcher; costs a step down an index for each endpoint."""
    return session.scalar(_OLDEST_DUE, {"now": now, "held": list(held)})


def integrations(session: Session) -> Sequence[str]:
    """Those that have an endpoint."""
    return session.scalars(_INTEGRATIONS).all()
