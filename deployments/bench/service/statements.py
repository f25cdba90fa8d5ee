"""What the references do for each request: the same SQL as ours for one row, with $1 … as parameters."""

HEARTBEAT = """
insert into presence as known (integration_id, external_user_id, last_seen, status)
select $1::text, $2::text, $3::timestamptz, $4::text
where exists (
    select from grants
    where grants.integration_id = $1::text and grants.external_user_id = $2::text
      and grants.revoked_at is null)
on conflict (integration_id, external_user_id) do update set
    last_seen = greatest(known.last_seen, excluded.last_seen),
    status = case when excluded.last_seen >= known.last_seen then excluded.status else known.status end
"""
"""integration, user, moment, status → rows: accepted"""

EXCHANGE = """
with claimed as (
    update access_codes set used_at = $4::timestamptz, used_key = $5::text, grant_id = $3::text
    where code_sha256 = $2::bytea and integration_id = $1::text and used_at is null
      and expires_at > $4::timestamptz and return_url = $6::text and code_challenge is null
    returning entry_id
), granted as (
    insert into grants (id, integration_id, entry_id, external_user_id, created_at)
    select $3::text, $1::text, entry.id, entry.external_user_id, $4::timestamptz
    from claimed join entries as entry on entry.id = claimed.entry_id and entry.status = 'accepted'
    returning entry_id, external_user_id
)
select entry.user_id, granted.external_user_id, granted.entry_id
from granted join entries as entry on entry.id = granted.entry_id
"""
"""integration, SHA-256 of the code, new grant's id, now, key of the request, return URL → the user"""

LIVE_PAGE = """
select external_user_id, integration_id, last_seen, status from presence
where integration_id = $1::text and status = 'live' and last_seen > $2::timestamptz
  and (external_user_id, integration_id) > ('', '')
order by external_user_id, integration_id limit $3::int
"""
"""integration, since, one more than the page holds"""

LIVE_COUNT = """
select count(*) from presence
where integration_id = $1::text and status = 'live' and last_seen > $2::timestamptz
"""

ME = """
select id, name, space_id, return_urls, origins, webhook_url, created_at from integrations where id = $1::text
"""

NAMED = {
    "heartbeat": HEARTBEAT,
    "exchange": EXCHANGE,
    "live_page": LIVE_PAGE,
    "live_count": LIVE_COUNT,
    "me": ME,
}
