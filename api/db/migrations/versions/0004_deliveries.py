"""Webhooks that are delivered: endpoints, messages, open deliveries, attempts by day, replays.

Events are published by triggers, in the transaction of the change itself: whoever changes something, one row
or a thousand, need not know of webhooks. Bodies carry our own ids and nothing else of a person.

Deliveries hold what is open or exhausted; what has been delivered lives on as its attempts. They name their
message and endpoint without a foreign key: its check would lock the endpoint's row at every event.

Who is sending to an endpoint stands in its lane, not in each delivery: a claim writes one small row. Under a
snapshot that is held for long (a backup, a report) no old version of a row can be cleared away, so a lane is
read by its highest `claim_id`, which each claim raises: the index leads to the newest version, past any
number of old ones. `watermark` does the same for deliveries that are gone.
"""

from alembic import op

revision = "0004_deliveries"
down_revision = "0003_live_service"
branch_labels = None
depends_on = None

ENDPOINTS = """
create table webhook_endpoints (
    id text constraint pk_webhook_endpoints primary key,
    integration_id text not null
        constraint fk_webhook_endpoints_integration_id_integrations references integrations on delete cascade,
    registered boolean not null default false,
    url text not null,
    event_types text[] not null default '{}',
    state text not null default 'enabled'
        constraint ck_webhook_endpoints_state check (state in ('enabled', 'disabled', 'removed')),
    disabled_reason text not null default '',
    concurrency integer not null default 8,
    rate double precision not null default 100,
    failures integer not null default 0,
    failing_since timestamptz,
    not_before timestamptz,
    created_at timestamptz not null default now()
) with (fillfactor = 50);
create index ix_webhook_endpoints_integration_id on webhook_endpoints (integration_id);
create unique index uq_webhook_endpoints_integration_id on webhook_endpoints (integration_id)
    where registered;

create table webhook_lanes (
    endpoint_id text not null
        constraint fk_webhook_lanes_endpoint_id_webhook_endpoints
        references webhook_endpoints on delete cascade,
    claim_id bigint not null default 0,
    claimed_until timestamptz,
    claimed_to timestamptz,
    claimed integer not null default 0,
    watermark timestamptz,
    tokens double precision not null default 200,
    tokens_at timestamptz not null default now(),
    constraint pk_webhook_lanes primary key (endpoint_id, claim_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create function open_webhook_lane() returns trigger language plpgsql as $$
begin
    insert into webhook_lanes (endpoint_id) values (new.id);
    return null;
end $$;
create trigger webhook_endpoints_opened after insert on webhook_endpoints
    for each row execute function open_webhook_lane();

create function keep_registered_endpoint() returns trigger language plpgsql as $$
begin
    if new.webhook_url is null then
        update webhook_endpoints set state = 'removed' where integration_id = new.id and registered;
    else
        insert into webhook_endpoints as known (id, integration_id, registered, url)
        values ('whe_' || left(md5(gen_random_uuid()::text), 20), new.id, true, new.webhook_url)
        on conflict (integration_id) where registered do update set
            url = excluded.url, state = 'enabled', disabled_reason = '', failures = 0, failing_since = null,
            not_before = null;
    end if;
    return null;
end $$;
create trigger integrations_addressed after insert on integrations
    for each row when (new.webhook_url is not null) execute function keep_registered_endpoint();
create trigger integrations_readdressed after update of webhook_url on integrations
    for each row when (old.webhook_url is distinct from new.webhook_url)
    execute function keep_registered_endpoint();
insert into webhook_endpoints (id, integration_id, registered, url)
select 'whe_' || left(md5(gen_random_uuid()::text), 20), id, true, webhook_url
from integrations where webhook_url is not null"""

QUEUE = """
create table webhook_messages (
    id uuid constraint pk_webhook_messages primary key default uuidv7(),
    integration_id text not null,
    type text not null,
    body bytea not null,
    created_at timestamptz not null default now()
);
create index ix_webhook_messages_integration_id on webhook_messages (integration_id, id);

create table webhook_deliveries (
    id uuid constraint pk_webhook_deliveries primary key default uuidv7(),
    message_id uuid not null,
    endpoint_id text not null,
    state text not null default 'open'
        constraint ck_webhook_deliveries_state check (state in ('open', 'exhausted')),
    next_attempt_at timestamptz not null,
    attempts integer not null default 0,
    replay_id text,
    created_at timestamptz not null default now()
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index ix_webhook_deliveries_due on webhook_deliveries (endpoint_id, next_attempt_at)
    where state = 'open';
create index ix_webhook_deliveries_exhausted on webhook_deliveries (endpoint_id, id)
    where state = 'exhausted';

create table webhook_totals (
    name text constraint pk_webhook_totals primary key,
    number bigint not null
);
create table webhook_live (
    integration_id text not null
        constraint fk_webhook_live_integration_id_integrations references integrations on delete cascade,
    entry_id text constraint pk_webhook_live primary key
        constraint fk_webhook_live_entry_id_entries references entries on delete cascade,
    since timestamptz not null
);
create index ix_webhook_live_integration_id on webhook_live (integration_id);

create schema webhook_days;
create table webhook_attempts (
    delivery_id uuid not null,
    message_id uuid not null,
    endpoint_id text not null,
    number integer not null,
    outcome text not null,
    at timestamptz not null,
    latency_ms integer not null,
    status integer,
    failure text,
    detail text not null default '',
    address text not null default '',
    response text not null default ''
) partition by range (at);
create index ix_webhook_attempts_endpoint_id on webhook_attempts (endpoint_id, delivery_id);
create table webhook_days.other_days partition of webhook_attempts default"""

# The API's role creates no tables; this it may, and whole days only.
DAYS = """
create function keep_webhook_days(first date, last date) returns void
language plpgsql security definer set search_path = public as $$
declare day date;
begin
    for day in select generate_series(first, last, interval '1 day')::date loop
        if to_regclass('webhook_days.day_' || to_char(day, 'YYYYMMDD')) is null and not exists (
            select from webhook_days.other_days
            where at >= day::timestamp at time zone 'UTC' and at < (day + 1)::timestamp at time zone 'UTC'
        ) then
            execute format(
                'create table webhook_days.%I partition of webhook_attempts for values from (%L) to (%L)',
                'day_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'UTC',
                (day + 1)::timestamp at time zone 'UTC');
        end if;
    end loop;
end $$;
create function drop_webhook_days(before date) returns integer
language plpgsql security definer set search_path = public as $$
declare past record; dropped integer := 0;
begin
    for past in
        select relname from pg_class where relnamespace = 'webhook_days'::regnamespace and relkind = 'r'
        and relname ~ '^day_[0-9]{8}$' and relname < 'day_' || to_char(before, 'YYYYMMDD')
    loop
        execute format('drop table webhook_days.%I', past.relname);
        dropped := dropped + 1;
    end loop;
    delete from webhook_days.other_days where at < before::timestamp at time zone 'UTC';
    return dropped;
end $$;
revoke execute on function drop_webhook_days(date) from public;
revoke execute on function keep_webhook_days(date, date) from public;
do $$
begin
    if exists (select from pg_roles where rolname = 'firstuser_app') then
        grant execute on function drop_webhook_days(date), keep_webhook_days(date, date) to firstuser_app;
    end if;
end $$;
select keep_webhook_days(current_date - 1, current_date + 7)"""

REPLAYS = """
create table webhook_replays (
    id text constraint pk_webhook_replays primary key,
    integration_id text not null
        constraint fk_webhook_replays_integration_id_integrations references integrations on delete cascade,
    endpoint_id text not null,
    since timestamptz not null,
    until timestamptz not null,
    type text,
    only_exhausted boolean not null,
    state text not null default 'running'
        constraint ck_webhook_replays_state check (state in ('running', 'done', 'cancelled')),
    place uuid,
    total integer not null,
    made integer not null default 0,
    created_by text not null,
    created_at timestamptz not null,
    ended_at timestamptz
);
create index ix_webhook_replays_integration_id on webhook_replays (integration_id, created_at);
create index ix_webhook_replays_running on webhook_replays (created_at) where state = 'running'"""

PUBLISH = """
create function publish_webhook(integration text, kind text, moment timestamptz, facts json) returns text
language plpgsql as $$
declare message uuid;
begin
    if not exists (
        select from webhook_endpoints
        where integration_id = integration and state <> 'removed'
        and (event_types = '{}' and kind <> all ('{user.live,user.left}') or kind = any(event_types))
    ) or current_setting('firstuser.webhooks', true) = 'off' then
        return null;
    end if;
    message := uuidv7();
    insert into webhook_messages (id, integration_id, type, body, created_at)
    select message, integration, kind, convert_to(row_to_json(event)::text, 'UTF8'), now()
    from (select kind as type,
                 to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24\\:MI\\:SS.MS"Z"') as timestamp,
                 facts as data) as event;
    insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at)
    select message, id, greatest(least(moment, now()), (
        select watermark from webhook_lanes where endpoint_id = id order by claim_id desc limit 1
    )) from webhook_endpoints
    where integration_id = integration and state <> 'removed'
    and (event_types = '{}' and kind <> all ('{user.live,user.left}') or kind = any(event_types));
    return 'msg_' || replace(message::text, '-', '');
end $$"""

EVENTS = """
create function publish_entry() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        new.integration_id,
        'waitlist.entry.' || case when tg_op = 'INSERT' then 'created' else new.status end,
        case when tg_op = 'INSERT' then new.created_at else coalesce(new.decided_at, now()) end,
        json_build_object('integration_id', new.integration_id, 'entry_id', new.id, 'user_id', new.user_id));
    return null;
end $$;
create trigger entries_created after insert on entries
    for each row when (new.integration_id is not null) execute function publish_entry();
create trigger entries_decided after update of status on entries
    for each row
    when (new.integration_id is not null and old.status <> new.status and new.status <> 'waiting')
    execute function publish_entry();

create function publish_grants() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        fresh.integration_id, 'access.granted', fresh.created_at,
        json_build_object('integration_id', fresh.integration_id, 'grant_id', fresh.id,
                          'entry_id', fresh.entry_id, 'user_id', entry.user_id))
    from (select distinct integration_id from webhook_endpoints where state <> 'removed'
          and integration_id in (select integration_id from fresh)) as told
    join fresh on fresh.integration_id = told.integration_id
    join entries as entry on entry.id = fresh.entry_id;
    return null;
end $$;
create trigger grants_created after insert on grants
    referencing new table as fresh for each statement execute function publish_grants();

create function publish_revocation() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        new.integration_id, 'access.revoked', new.revoked_at,
        json_build_object('integration_id', new.integration_id, 'grant_id', new.id,
                          'entry_id', new.entry_id, 'user_id', entry.user_id))
    from entries as entry where entry.id = new.entry_id;
    return null;
end $$;
create trigger grants_ended after update of revoked_at on grants
    for each row when (old.revoked_at is null and new.revoked_at is not null)
    execute function publish_revocation();

create function publish_chat_message() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        entry.integration_id, 'chat.message.created', new.created_at,
        json_build_object('integration_id', entry.integration_id, 'conversation_id', new.conversation_id,
                          'message_id', new.id, 'sender', new.sender, 'user_id', entry.user_id))
    from conversations join entries as entry on entry.id = conversations.entry_id
    where conversations.id = new.conversation_id and entry.integration_id is not null;
    return null;
end $$;
create trigger messages_created after insert on messages
    for each row execute function publish_chat_message();

create function publish_pause() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        id, case when coalesce(new.after, false) then 'onboarding.paused' else 'onboarding.resumed' end,
        new.changed_at, json_build_object('integration_id', id, 'space_id', space_id))
    from integrations where new.scope in ('', space_id);
    return null;
end $$;
create trigger onboarding_switched after insert on flag_changes
    for each row when (new.key = 'onboarding_paused'
                       and coalesce(new.before, false) <> coalesce(new.after, false))
    execute function publish_pause();

create function publish_key() returns trigger language plpgsql as $$
begin
    if exists (select from api_keys where integration_id = new.integration_id and id <> new.id) then
        perform publish_webhook(
            new.integration_id, 'integration.key.rotated', new.created_at,
            json_build_object('integration_id', new.integration_id, 'key_id', new.id));
    end if;
    return null;
end $$;
create trigger api_keys_rotated after insert on api_keys for each row execute function publish_key();

create function publish_secret() returns trigger language plpgsql as $$
begin
    if exists (select from webhook_secrets where integration_id = new.integration_id and id <> new.id) then
        perform publish_webhook(
            new.integration_id, 'integration.secret.rotated', new.created_at,
            json_build_object('integration_id', new.integration_id, 'secret_id', new.id));
    end if;
    return null;
end $$;
create trigger webhook_secrets_rotated after insert on webhook_secrets
    for each row execute function publish_secret();

create function publish_deletion() returns trigger language plpgsql as $$
begin
    perform publish_webhook(
        integration_id, 'user.deleted', new.deleted_at,
        json_build_object('integration_id', integration_id, 'user_id', new.user_id,
                          'entry_id', new.entry_id))
    from entries where id = new.entry_id and integration_id is not null;
    return null;
end $$;
create trigger tombstones_created after insert on tombstones
    for each row execute function publish_deletion()"""

TABLES = [ENDPOINTS, QUEUE, DAYS, REPLAYS, PUBLISH, EVENTS]


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "drop trigger entries_created on entries; drop trigger entries_decided on entries;"
        " drop trigger grants_created on grants; drop trigger grants_ended on grants;"
        " drop trigger messages_created on messages; drop trigger onboarding_switched on flag_changes;"
        " drop trigger api_keys_rotated on api_keys; drop trigger webhook_secrets_rotated on webhook_secrets;"
        " drop trigger tombstones_created on tombstones; drop trigger integrations_addressed on integrations;"
        " drop trigger integrations_readdressed on integrations"
    )
    op.execute(
        "drop function publish_entry(), publish_grants(), publish_revocation(), publish_chat_message(),"
        " publish_pause(), publish_key(), publish_secret(), publish_deletion(), keep_registered_endpoint(),"
        " publish_webhook(text, text, timestamptz, json), keep_webhook_days(date, date),"
        " drop_webhook_days(date)"
    )
    op.execute(
        "drop table webhook_totals, webhook_live, webhook_replays, webhook_attempts, webhook_deliveries,"
        " webhook_messages, webhook_lanes, webhook_endpoints"
    )
    op.execute("drop function open_webhook_lane()")
    op.execute("drop schema webhook_days")
