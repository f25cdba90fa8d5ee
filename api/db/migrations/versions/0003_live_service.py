"""The live service: positions and referrals, starts and codes, chat, flags, secrets, tombstones, limits.

An entry's place in line is its `rank`: the number of its joining in its space, less what its referrals earned
it. `waitlist_blocks` counts people by status per 4,096 ranks, kept by statement triggers, so that a position
and a space's numbers cost the same with a thousand people in line or two million.
"""

from alembic import op

revision = "0003_live_service"
down_revision = "0002_ops"
branch_labels = None
depends_on = None

CREATED = """
    created_at timestamptz not null default now(),
    created_xid xid8 not null default pg_current_xact_id()"""

ENTRIES = """
alter table entries
    add column user_id text,
    add column phone_cipher bytea,
    add column phone_index bytea,
    add column ordinal bigint,
    add column rank bigint,
    add column referrals integer not null default 0,
    add column metadata jsonb not null default '{}';
update entries set
    user_id = 'usr_' || left(md5(entries.id), 20), ordinal = numbered.place, rank = numbered.place
from (select id, row_number() over (partition by space_id order by seq) as place from entries) as numbered
where numbered.id = entries.id;
alter table entries
    alter column user_id set default 'usr_' || left(md5(gen_random_uuid()::text), 20),
    alter column user_id set not null,
    alter column ordinal set not null,
    alter column rank set not null,
    add constraint uq_entries_user_id unique (user_id);
drop index ix_entries_space_id;
create index ix_entries_space_id on entries (space_id, status, rank, seq);
create index ix_entries_phone_index on entries (phone_index) where phone_index is not null"""

WAITLIST = """
create table waitlist_counters (
    space_id text constraint pk_waitlist_counters primary key
        constraint fk_waitlist_counters_space_id_spaces references spaces on delete cascade,
    joined bigint not null default 0
) with (fillfactor = 50);
insert into waitlist_counters select space_id, count(*) from entries group by space_id;

create table waitlist_blocks (
    space_id text not null constraint fk_waitlist_blocks_space_id_spaces references spaces on delete cascade,
    status text not null,
    block bigint not null,
    people bigint not null,
    constraint pk_waitlist_blocks primary key (space_id, status, block)
) with (fillfactor = 50);
insert into waitlist_blocks select space_id, status, rank >> 12, count(*) from entries group by 1, 2, 3;

create function count_people() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into waitlist_blocks as known (space_id, status, block, people)
        select space_id, status, rank >> 12, count(*) from fresh group by 1, 2, 3 order by 1, 2, 3
        on conflict (space_id, status, block) do update set people = known.people + excluded.people;
    elsif tg_op = 'DELETE' then
        insert into waitlist_blocks as known (space_id, status, block, people)
        select space_id, status, rank >> 12, -count(*) from gone group by 1, 2, 3 order by 1, 2, 3
        on conflict (space_id, status, block) do update set people = known.people + excluded.people;
    else
        insert into waitlist_blocks as known (space_id, status, block, people)
        select space_id, status, block, sum(change) from (
            select space_id, status, rank >> 12 as block, 1 as change from fresh
            union all
            select space_id, status, rank >> 12, -1 from gone
        ) as changes group by 1, 2, 3 having sum(change) <> 0 order by 1, 2, 3
        on conflict (space_id, status, block) do update set people = known.people + excluded.people;
    end if;
    return null;
end $$;
create trigger entries_inserted after insert on entries
    referencing new table as fresh for each statement execute function count_people();
create trigger entries_updated after update on entries
    referencing old table as gone new table as fresh for each statement execute function count_people();
create trigger entries_deleted after delete on entries
    referencing old table as gone for each statement execute function count_people();

create table waitlist_starts (
    id text constraint pk_waitlist_starts primary key,
    entry_id text not null
        constraint fk_waitlist_starts_entry_id_entries references entries on delete cascade,
    integration_id text not null
        constraint fk_waitlist_starts_integration_id_integrations references integrations,
    mode text not null constraint ck_waitlist_starts_mode check (mode in ('redirect', 'embedded')),
    token_sha256 bytea not null constraint uq_waitlist_starts_token_sha256 unique,
    return_url text,
    state text,
    code_challenge text,
    embed_origin text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index ix_waitlist_starts_entry_id on waitlist_starts (entry_id);
create index ix_waitlist_starts_expires_at on waitlist_starts (expires_at)"""

CODES = """
create table access_codes (
    code_sha256 bytea constraint pk_access_codes primary key,
    start_id text constraint fk_access_codes_start_id_waitlist_starts
        references waitlist_starts on delete cascade,
    entry_id text not null constraint fk_access_codes_entry_id_entries references entries on delete cascade,
    integration_id text not null
        constraint fk_access_codes_integration_id_integrations references integrations,
    return_url text,
    code_challenge text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    used_key text,
    grant_id text
) with (fillfactor = 80);
create index ix_access_codes_start_id on access_codes (start_id);
create index ix_access_codes_entry_id on access_codes (entry_id);
create index ix_access_codes_expires_at on access_codes (expires_at)"""

IDEMPOTENCY = """
create table idempotency_keys (
    caller text not null,
    operation text not null,
    key text not null,
    body_sha256 bytea not null,
    status integer,
    response_cipher bytea,
    created_at timestamptz not null default now(),
    constraint pk_idempotency_keys primary key (caller, operation, key)
);
create index ix_idempotency_keys_created_at on idempotency_keys (created_at)"""

CHAT = f"""
create table conversations (
    id text constraint pk_conversations primary key,
    space_id text not null constraint fk_conversations_space_id_spaces references spaces,
    entry_id text not null constraint fk_conversations_entry_id_entries references entries on delete cascade
        constraint uq_conversations_entry_id unique,
    last_seq bigint not null default 0,
    user_read_seq bigint not null default 0,
    founder_read_seq bigint not null default 0,
    last_message_at timestamptz,
    {CREATED}
);
create index ix_conversations_space_id on conversations (space_id, last_message_at);

create table messages (
    id text constraint pk_messages primary key,
    conversation_id text not null
        constraint fk_messages_conversation_id_conversations references conversations on delete cascade,
    seq bigint not null,
    sender text not null constraint ck_messages_sender check (sender in ('user', 'founder')),
    client_id text not null,
    text text not null,
    {CREATED},
    constraint uq_messages_conversation_id unique (conversation_id, seq),
    constraint uq_messages_client_id unique (conversation_id, sender, client_id)
)"""

FLAGS = """
create table flags (
    key text not null,
    scope text not null default '',
    value boolean not null,
    reason text not null default '',
    changed_by text not null,
    changed_at timestamptz not null,
    constraint pk_flags primary key (key, scope)
);

create table flag_changes (
    id bigint generated always as identity constraint pk_flag_changes primary key,
    key text not null,
    scope text not null,
    before boolean,
    after boolean,
    reason text not null,
    changed_by text not null,
    changed_at timestamptz not null,
    created_xid xid8 not null default pg_current_xact_id()
);
create index ix_flag_changes_changed_at on flag_changes (changed_at);

create function tell_of_flags() returns trigger language plpgsql as $$
begin
    notify flags;
    return null;
end $$;
create trigger flags_changed after insert or update or delete or truncate on flags
    for each statement execute function tell_of_flags()"""

SECRETS = f"""
alter table api_keys
    add column expires_at timestamptz,
    add column created_by text;

create table webhook_secrets (
    id text constraint pk_webhook_secrets primary key,
    integration_id text not null
        constraint fk_webhook_secrets_integration_id_integrations references integrations on delete cascade,
    secret_cipher bytea not null,
    {CREATED},
    created_by text,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
create index ix_webhook_secrets_integration_id on webhook_secrets (integration_id);

create table audit (
    id bigint generated always as identity constraint pk_audit primary key,
    actor text not null,
    action text not null,
    subject text not null,
    detail jsonb not null default '{{}}',
    at timestamptz not null
);
create index ix_audit_subject on audit (subject, at)"""

MILESTONES = """
create table milestones (
    integration_id text not null
        constraint fk_milestones_integration_id_integrations references integrations on delete cascade,
    key text not null,
    reached_at timestamptz not null,
    constraint pk_milestones primary key (integration_id, key)
);
insert into milestones
select id, 'first_call', first_call_at from integrations where first_call_at is not null"""

# Samples of an earlier release name people by what partners call them.
PEOPLE = """
create table tombstones (
    id bigint generated always as identity constraint pk_tombstones primary key,
    user_id text not null constraint uq_tombstones_user_id unique,
    entry_id text not null,
    space_id text not null,
    deleted_at timestamptz not null,
    deleted_by text not null,
    removed jsonb not null default '{}',
    created_xid xid8 not null default pg_current_xact_id()
);
create index ix_tombstones_deleted_at on tombstones (deleted_at);
create index ix_grants_entry_id on grants (entry_id);
update ops.beacons set sample = '{}'"""

PRESENCE_MINUTES = """
create table presence_minutes (
    integration_id text not null
        constraint fk_presence_minutes_integration_id_integrations references integrations on delete cascade,
    minute timestamptz not null,
    live integer not null,
    constraint pk_presence_minutes primary key (integration_id, minute)
)"""

LOGIN = """
alter table login_codes
    add column channel text,
    add column ip_index bytea,
    add column sent_at timestamptz;
create index ix_login_codes_ip_index on login_codes (ip_index, created_at);
create index ix_login_codes_channel on login_codes (channel, created_at) where channel is not null;
alter table sessions
    add column id text,
    add column proven_at timestamptz,
    add column browser text not null default '';
update sessions set id = 'ses_' || substr(encode(id_hash, 'hex'), 1, 20), proven_at = created_at;
alter table sessions
    alter column id set not null,
    alter column proven_at set not null,
    add constraint uq_sessions_id unique (id)"""

# Whoever takes a grant away need not know of presence.
REVOKED = """
create function leave_when_revoked() returns trigger language plpgsql as $$
begin
    update presence set status = 'left'
    where integration_id = new.integration_id and external_user_id = new.external_user_id;
    return null;
end $$;
create trigger grants_revoked after update of revoked_at on grants
    for each row when (old.revoked_at is null and new.revoked_at is not null)
    execute function leave_when_revoked()"""

# A hint to those who keep keys in memory; what they look up is the truth.
KEY_NOTICES = """
create function tell_of_key() returns trigger language plpgsql as $$
begin
    perform pg_notify('api_keys', old.id);
    return null;
end $$;
create trigger api_keys_changed after update of revoked_at, expires_at, secret_sha256 on api_keys
    for each row execute function tell_of_key();
create trigger api_keys_deleted after delete on api_keys for each row execute function tell_of_key()"""

TABLES = [
    ENTRIES,
    WAITLIST,
    CODES,
    IDEMPOTENCY,
    CHAT,
    FLAGS,
    SECRETS,
    MILESTONES,
    PEOPLE,
    PRESENCE_MINUTES,
    LOGIN,
    REVOKED,
    KEY_NOTICES,
]


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "drop trigger grants_revoked on grants; drop function leave_when_revoked();"
        " drop trigger api_keys_changed on api_keys; drop trigger api_keys_deleted on api_keys;"
        " drop function tell_of_key()"
    )
    op.execute(
        "drop table presence_minutes, tombstones, milestones, audit, webhook_secrets, flag_changes, flags,"
        " messages, conversations, idempotency_keys, access_codes, waitlist_starts, waitlist_blocks,"
        " waitlist_counters"
    )
    op.execute("drop function tell_of_flags()")
    op.execute(
        "drop trigger entries_inserted on entries; drop trigger entries_updated on entries;"
        " drop trigger entries_deleted on entries; drop function count_people()"
    )
    op.execute("drop index ix_grants_entry_id")
    op.execute("alter table api_keys drop column expires_at, drop column created_by")
    op.execute("alter table login_codes drop column channel, drop column ip_index, drop column sent_at")
    op.execute("alter table sessions drop column id, drop column proven_at, drop column browser")
    op.execute(
        "alter table entries drop column user_id, drop column phone_cipher, drop column phone_index,"
        " drop column ordinal, drop column rank, drop column referrals, drop column metadata"
    )
    op.execute("create index ix_entries_space_id on entries (space_id, status, seq)")
