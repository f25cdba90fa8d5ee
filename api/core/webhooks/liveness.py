"""`user.live` and `user.left`, for the endpoints that ask for them by name: every change told once.

Nobody writes down that a user fell silent, so it is looked for: who is live now against whom was last told
of. What is told and that it was told are one transaction, and one looker works at a time; killed anywhere,
the next one goes on. Heartbeats, many a second, pay nothing for it. A visit shorter than the time between two
looks is not told.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.webhooks.events import LEFT, LIVE

_LOCK = text("select pg_try_advisory_xact_lock(hashtext('webhook_live'))")
_OPTED_OUT = text("""
delete from webhook_live as w where not exists (
    select from webhook_endpoints as e
    where e.integration_id = w.integration_id and e.state <> 'removed'
    and e.event_types && cast(:types as text[])
)
""")
_LOOK = text("""
with watched as (
    select distinct integration_id from webhook_endpoints
    where state <> 'removed' and event_types && cast(:types as text[])
), live as materialized (
    select p.integration_id, e.id as entry_id, e.user_id
    from watched join presence as p using (integration_id)
    join entries as e on e.integration_id = p.integration_id and e.external_user_id = p.external_user_id
    where p.status = 'live' and p.last_seen > :since
), come as (
    insert into webhook_live (integration_id, entry_id, since)
    select live.integration_id, live.entry_id, :now from live
    where not exists (select from webhook_live as w where w.entry_id = live.entry_id)
    on conflict do nothing returning integration_id, entry_id
), gone as (
    delete from webhook_live as w
    where not exists (select from live where live.entry_id = w.entry_id)
    returning w.integration_id, w.entry_id
), told as (
    select cast(:live as text) as type, * from come union all select :left, * from gone
)
select count(publish_webhook(told.integration_id, told.type, :now, json_build_object(
    'integration_id', told.integration_id, 'user_id', e.user_id, 'entry_id', e.id)))
from told join entries as e on e.id = told.entry_id
""")


def look(session: Session, now: datetime, window: timedelta) -> int:
    """How many messages were published; 0 also while another looks. `window`: who was heard of within it, and
    did not leave, is live."""
    if not session.scalar(_LOCK):
        return 0
    session.execute(_OPTED_OUT, {"types": [LIVE, LEFT]})
    given = {"types": [LIVE, LEFT], "since": now - window, "now": now, "live": LIVE, "left": LEFT}
    return session.execute(_LOOK, given).scalar_one()
