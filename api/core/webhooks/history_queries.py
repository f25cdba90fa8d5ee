"""SQL of endpoints, of deliveries past and present, of replays and of what is dropped."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

_ENDPOINTS = text("""
select e.*, (select count(*) from webhook_deliveries as d
             where d.endpoint_id = e.id and d.state = 'open') as open,
       (select count(*) from webhook_deliveries as d
        where d.endpoint_id = e.id and d.state = 'exhausted') as exhausted,
       (select min(next_attempt_at) from webhook_deliveries as d
        where d.endpoint_id = e.id and d.state = 'open') as next_attempt_at
from webhook_endpoints as e
where e.integration_id = any(:integrations) and e.state <> 'removed' order by e.created_at, e.id
""")
_ENDPOINT = text("select * from webhook_endpoints where id = :id and state <> 'removed'")
_ADD_ENDPOINT = text("""
insert into webhook_endpoints (id, integration_id, url, event_types, created_at)
values (:id, :integration_id, :url, :event_types, :now)
""")
_CHANGE_ENDPOINT = text("""
update webhook_endpoints set event_types = coalesce(cast(:event_types as text[]), event_types),
    state = coalesce(:state, state), disabled_reason = coalesce(:reason, disabled_reason),
    failures = case when :state = 'enabled' then 0 else failures end,
    failing_since = case when :state = 'enabled' then null else failing_since end,
    not_before = case when :state = 'enabled' then null else not_before end
where id = :id
""")

# A claim takes what was due first: all that is due by the moment that its lane names.
_IN_FLIGHT = """
(d.state = 'open' and exists (
    select from (select * from webhook_lanes as l where l.endpoint_id = d.endpoint_id
                 order by l.claim_id desc limit 1) as lane
    where lane.claimed_until is not null and d.next_attempt_at <= lane.claimed_to
))"""

# What is delivered has no row of its own any more: its last attempt stands for it.
_DELIVERIES = text(f"""
select * from (
    select d.id, d.message_id, d.endpoint_id, d.state, d.attempts, d.next_attempt_at, d.created_at,
           {_IN_FLIGHT} as in_flight
    from webhook_deliveries as d where d.endpoint_id = :endpoint
    union all
    select a.delivery_id, a.message_id, a.endpoint_id, 'delivered', a.number, null, a.at, false
    from webhook_attempts as a where a.endpoint_id = :endpoint and a.outcome = 'delivered'
) as d
where (cast(:behind as uuid) is null or d.id < :behind)
and (cast(:state as text) is null or d.state = :state)
order by d.id desc limit :most
""")  # noqa: S608  literals of this file
_MESSAGES = text("select id, type, body, created_at from webhook_messages where id = any(:ids)")
_ATTEMPTS = text("""
select delivery_id, number, outcome, at, latency_ms, status, failure, detail, address, response
from webhook_attempts where endpoint_id = :endpoint and delivery_id = :delivery order by at, number
""")
_PLACE = text(f"""
select endpoint_id, message_id, state, {_IN_FLIGHT} as in_flight, attempts, next_attempt_at, created_at
from webhook_deliveries as d where id = :id
union all
(select endpoint_id, message_id, 'delivered', false, number, null, at from webhook_attempts
 where endpoint_id = any(:endpoints) and delivery_id = :id and outcome = 'delivered' limit 1)
limit 1
""")  # noqa: S608  literals of this file

# Only what has a message can be sent: it is held, lest it be dropped meanwhile.
_REOPEN = text(f"""
with kept as (
    select d.id from webhook_deliveries as d join webhook_messages as m on m.id = d.message_id
    where d.id = :id for key share of m
)
update webhook_deliveries as d set state = 'open', attempts = 0,
    next_attempt_at = case when state = 'open' then least(next_attempt_at, :now) else :now end
from kept where d.id = kept.id and not {_IN_FLIGHT} returning d.id
""")  # noqa: S608  literals of this file
_REDELIVER = text("""
with kept as (select id from webhook_messages where id = :message for key share)
insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at)
select id, :endpoint, :now from kept returning id
""")

_NEW_MESSAGE_ID = text("select uuidv7()")
_ADD_TRIED = text("""
with place as (
    select id, uuidv7() as delivery from webhook_endpoints
    where integration_id = :integration and registered and state <> 'removed' and url = :url
), message as (
    insert into webhook_messages (id, integration_id, type, body, created_at)
    select cast(:message as uuid), :integration, :type, cast(:body as bytea), :at from place
), given_up as (
    insert into webhook_deliveries (id, message_id, endpoint_id, state, next_attempt_at, attempts, created_at)
    select delivery, :message, id, 'exhausted', :at, 1, :at from place where :state = 'exhausted'
), noted as (
    insert into webhook_attempts (delivery_id, message_id, endpoint_id, number, outcome, at, latency_ms,
                                  status, failure, detail, address, response)
    select delivery, :message, id, 1, :state, :at, :latency_ms, :status, :failure, :detail, :address,
           :response
    from place
)
select delivery from place
""")

_WANTED = """
from webhook_messages as m
where m.integration_id = :integration and m.created_at >= :since and m.created_at < :until
and (cast(:type as text) is null or m.type = :type)
and (cast(:place as uuid) is null or m.id > :place)
and (not :only_exhausted or exists (
    select from webhook_deliveries as d
    where d.message_id = m.id and d.endpoint_id = :endpoint and d.state = 'exhausted'))
"""
_COUNT_WANTED = text(f"select count(*) {_WANTED}")
_NEXT_WANTED = text(f"select m.id {_WANTED} order by m.id limit :most for key share of m")
_REOPEN_ALL = text("""
update webhook_deliveries set state = 'open', attempts = 0, next_attempt_at = :now, replay_id = :replay
where endpoint_id = :endpoint and message_id = any(:messages) and state = 'exhausted' returning message_id
""")
_REDELIVER_ALL = text("""
insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at, replay_id)
select message, :endpoint, :now, :replay from unnest(cast(:messages as uuid[])) as message
where not exists (
    select from webhook_deliveries as d where d.message_id = message and d.endpoint_id = :endpoint
)
returning message_id
""")
_ADD_REPLAY = text("""
insert into webhook_replays (id, integration_id, endpoint_id, since, until, type, only_exhausted, total,
                             created_by, created_at)
values (:id, :integration, :endpoint, :since, :until, :type, :only_exhausted, :total, :by, :now)
""")
_RUNNING_REPLAY = text("""
select * from webhook_replays where state = 'running' order by created_at limit 1 for update skip locked
""")
_MOVE_REPLAY = text("""
update webhook_replays set place = :place, made = made + :made, state = :state,
    ended_at = case when :state = 'running' then null else cast(:now as timestamptz) end
where id = :id
""")
_REPLAYS = text("""
select * from webhook_replays where integration_id = any(:integrations) order by created_at desc limit :most
""")
_CANCEL = text("""
update webhook_replays set state = 'cancelled', ended_at = :now
where id = :id and integration_id = any(:integrations) and state = 'running' returning id
""")

_EXHAUSTED = text("""
select count(*) from webhook_deliveries as d where state = 'exhausted' and endpoint_id not in (
    select e.id from webhook_endpoints as e join integrations as i on i.id = e.integration_id
    join spaces as s on s.id = i.space_id where s.synthetic)
""")
_KEEP_DAYS = text("select keep_webhook_days(cast(:first as date), cast(:last as date))")
_DROP_DAYS = text("select drop_webhook_days(cast(:before as date))")
_GIVE_UP = text(f"""
update webhook_deliveries as d set state = 'exhausted'
where state = 'open' and created_at < :before and not {_IN_FLIGHT}
""")  # noqa: S608  literals of this file
_DROP_MESSAGES = text("""
with gone as (
    delete from webhook_messages as m where m.created_at < :before
    and not exists (select from webhook_deliveries as d where d.message_id = m.id and d.state = 'open')
    returning m.id
)
select count(*) from gone
""")
# Exhausted ones, and what was about to be sent again while its message was dropped: a claim would take it for
# ever.
_DROP_EMPTY = text("""
delete from webhook_deliveries as d
where not exists (select from webhook_messages as m where m.id = d.message_id)
""")


def endpoints(session: Session, integrations: Sequence[str]) -> Sequence[RowMapping]:
    return session.execute(_ENDPOINTS, {"integrations": list(integrations)}).mappings().all()


def endpoint(session: Session, endpoint_id: str) -> RowMapping | None:
    return session.execute(_ENDPOINT, {"id": endpoint_id}).mappings().one_or_none()


def add_endpoint(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(_ADD_ENDPOINT, dict(values))


def change_endpoint(
    session: Session,
    endpoint_id: str,
    event_types: Sequence[str] | None = None,
    state: str | None = None,
    reason: str | None = None,
) -> None:
    types = None if event_types is None else list(event_types)
    session.execute(
        _CHANGE_ENDPOINT, {"id": endpoint_id, "event_types": types, "state": state, "reason": reason}
    )


def deliveries(
    session: Session, endpoint_id: str, state: str | None, behind: UUID | None, most: int
) -> Sequence[RowMapping]:
    """Newest first."""
    given = {"endpoint": endpoint_id, "state": state, "behind": behind, "most": most}
    return session.execute(_DELIVERIES, given).mappings().all()


def messages(session: Session, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    return {row["id"]: row for row in session.execute(_MESSAGES, {"ids": list(ids)}).mappings()}


def delivery(session: Session, delivery_id: UUID, endpoints: Sequence[str]) -> RowMapping | None:
    given = {"id": delivery_id, "endpoints": list(endpoints)}
    found = session.execute(_PLACE, given).mappings().first()
    return found if found and found["endpoint_id"] in endpoints else None


def attempts(session: Session, endpoint_id: str, delivery_id: UUID) -> Sequence[RowMapping]:
    given = {"endpoint": endpoint_id, "delivery": delivery_id}
    return session.execute(_ATTEMPTS, given).mappings().all()


def reopen(session: Session, delivery_id: UUID, now: datetime) -> UUID | None:
    return session.execute(_REOPEN, {"id": delivery_id, "now": now}).scalar()


def redeliver(session: Session, message_id: UUID, endpoint_id: str, now: datetime) -> UUID | None:
    given = {"message": message_id, "endpoint": endpoint_id, "now": now}
    return session.execute(_REDELIVER, given).scalar()


def new_message_id(session: Session) -> UUID:
    return session.execute(_NEW_MESSAGE_ID).scalar_one()


def add_tried(session: Session, values: Mapping[str, Any]) -> UUID | None:
    """A message that was sent once, to the registered endpoint, while it was made: the delivery's id."""
    return session.execute(_ADD_TRIED, dict(values)).scalar()


def count_wanted(session: Session, wanted: Mapping[str, Any]) -> int:
    return session.execute(_COUNT_WANTED, {**wanted, "place": None}).scalar_one()


def next_wanted(session: Session, wanted: Mapping[str, Any], most: int) -> Sequence[UUID]:
    return session.scalars(_NEXT_WANTED, {**wanted, "most": most}).all()


def replay(
    session: Session, replay_id: str, endpoint_id: str, messages: Sequence[UUID], again: bool, now: datetime
) -> int:
    """How many deliveries are open because of it. `again`: those delivered before, too."""
    given = {"replay": replay_id, "endpoint": endpoint_id, "messages": list(messages), "now": now}
    made = len(session.scalars(_REOPEN_ALL, given).all())
    return made + len(session.scalars(_REDELIVER_ALL, given).all()) if again else made


def add_replay(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(_ADD_REPLAY, dict(values))


def running_replay(session: Session) -> RowMapping | None:
    """One that no other worker is at, held until the transaction ends."""
    return session.execute(_RUNNING_REPLAY).mappings().one_or_none()


def move_replay(
    session: Session, replay_id: str, place: UUID | None, made: int, state: str, now: datetime
) -> None:
    given = {"id": replay_id, "place": place, "made": made, "state": state, "now": now}
    session.execute(_MOVE_REPLAY, given)


def replays(session: Session, integrations: Sequence[str], most: int) -> Sequence[RowMapping]:
    given = {"integrations": list(integrations), "most": most}
    return session.execute(_REPLAYS, given).mappings().all()


def cancel_replay(session: Session, replay_id: str, integrations: Sequence[str], now: datetime) -> bool:
    given = {"id": replay_id, "integrations": list(integrations), "now": now}
    return session.execute(_CANCEL, given).first() is not None


def exhausted(session: Session) -> int:
    return session.execute(_EXHAUSTED).scalar_one()


def keep_days(session: Session, first: datetime, last: datetime) -> None:
    session.execute(_KEEP_DAYS, {"first": first.date(), "last": last.date()})


def drop_days(session: Session, before: datetime) -> int:
    return session.execute(_DROP_DAYS, {"before": before.date()}).scalar_one()


def give_up(session: Session, before: datetime) -> None:
    session.execute(_GIVE_UP, {"before": before})


def drop_messages(session: Session, before: datetime) -> int:
    gone = session.execute(_DROP_MESSAGES, {"before": before}).scalar_one()
    session.execute(_DROP_EMPTY)
    return gone
