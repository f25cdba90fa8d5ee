"""The product's tables: founders and their logins, spaces, integrations, entries, grants, presence.

`created_xid` is the transaction that wrote the row. It never changes, so a restored copy can be compared
exactly with what a snapshot taken on the source saw.
"""

from alembic import op

revision = "0001_product"
down_revision = None
branch_labels = None
depends_on = None

CREATED = """
    created_at timestamptz not null default now(),
    created_xid xid8 not null default pg_current_xact_id()"""

FOUNDERS = f"""
create table founders (
    id text constraint pk_founders primary key,
    name text not null,
    phone_cipher bytea not null,
    phone_index bytea not null constraint uq_founders_phone_index unique,
    email_cipher bytea,
    email_index bytea constraint uq_founders_email_index unique,
    {CREATED}
)"""

LOGIN_CODES = """
create table login_codes (
    id text constraint pk_login_codes primary key,
    founder_id text constraint fk_login_codes_founder_id_founders references founders on delete cascade,
    browser_id text not null,
    identifier_index bytea not null,
    code_hmac bytea not null,
    expires_at timestamptz not null,
    tries integer not null default 0,
    used_at timestamptz,
    created_at timestamptz not null default now()
);
create index ix_login_codes_browser_id on login_codes (browser_id, created_at);
create index ix_login_codes_identifier_index on login_codes (identifier_index, created_at)"""

SESSIONS = """
create table sessions (
    id_hash bytea constraint pk_sessions primary key,
    founder_id text not null constraint fk_sessions_founder_id_founders references founders on delete cascade,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index ix_sessions_founder_id on sessions (founder_id)"""

SPACES = f"""
create table spaces (
    id text constraint pk_spaces primary key,
    slug text not null constraint uq_spaces_slug unique,
    name text not null,
    owner_id text not null constraint fk_spaces_owner_id_founders references founders,
    {CREATED}
);
create index ix_spaces_owner_id on spaces (owner_id)"""

INTEGRATIONS = f"""
create table integrations (
    id text constraint pk_integrations primary key,
    space_id text not null constraint fk_integrations_space_id_spaces references spaces,
    name text not null,
    return_urls text[] not null default '{{}}',
    origins text[] not null default '{{}}',
    webhook_url text,
    first_call_at timestamptz,
    {CREATED}
);
create index ix_integrations_space_id on integrations (space_id)"""

API_KEYS = f"""
create table api_keys (
    id text constraint pk_api_keys primary key,
    integration_id text not null
        constraint fk_api_keys_integration_id_integrations references integrations on delete cascade,
    secret_sha256 bytea not null,
    {CREATED},
    revoked_at timestamptz,
    last_used_at timestamptz
);
create index ix_api_keys_integration_id on api_keys (integration_id)"""

ENTRIES = f"""
create table entries (
    id text constraint pk_entries primary key,
    seq bigint generated always as identity constraint uq_entries_seq unique,
    space_id text not null constraint fk_entries_space_id_spaces references spaces,
    integration_id text constraint fk_entries_integration_id_integrations references integrations,
    external_user_id text not null,
    email_cipher bytea,
    email_index bytea,
    status text not null default 'waiting'
        constraint ck_entries_status check (status in ('waiting', 'accepted', 'rejected')),
    referral_code text not null constraint uq_entries_referral_code unique,
    referred_by text constraint fk_entries_referred_by_entries references entries on delete set null,
    {CREATED},
    decided_at timestamptz,
    constraint uq_entries_integration_id unique (integration_id, external_user_id)
);
create index ix_entries_space_id on entries (space_id, status, seq);
create index ix_entries_space_id_created_at on entries (space_id, created_at);
create index ix_entries_email_index on entries (email_index) where email_index is not null;
create index ix_entries_referred_by on entries (referred_by) where referred_by is not null"""

GRANTS = f"""
create table grants (
    id text constraint pk_grants primary key,
    integration_id text not null constraint fk_grants_integration_id_integrations references integrations,
    entry_id text not null constraint fk_grants_entry_id_entries references entries on delete cascade,
    external_user_id text not null,
    {CREATED},
    revoked_at timestamptz
);
create index ix_grants_integration_id on grants (integration_id, external_user_id, revoked_at);
create unique index uq_grants_entry_id on grants (entry_id) where revoked_at is null"""

# No index on last_seen: with room left on each page, every heartbeat stays a heap-only update.
PRESENCE = """
create table presence (
    integration_id text not null
        constraint fk_presence_integration_id_integrations references integrations on delete cascade,
    external_user_id text not null,
    last_seen timestamptz not null,
    status text not null constraint ck_presence_status check (status in ('live', 'left')),
    constraint pk_presence primary key (integration_id, external_user_id)
) with (fillfactor = 70)"""

TABLES = [FOUNDERS, LOGIN_CODES, SESSIONS, SPACES, INTEGRATIONS, API_KEYS, ENTRIES, GRANTS, PRESENCE]


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute("drop table presence, grants, entries, api_keys, integrations")
    op.execute("drop table spaces, sessions, login_codes, founders")
