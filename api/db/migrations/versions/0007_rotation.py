"""Rotations: their steps, the versions of secrets, the processes that read them; witnesses among keys."""

from alembic import op

revision = "0007_rotation"
down_revision = "0006_preflight"
branch_labels = None
depends_on = None

APP_ROLE = "firstuser_app"

TABLES = """
create table ops.rotations (
    id text constraint pk_rotations primary key,
    name text not null,
    kind text not null,
    mode text not null constraint ck_rotations_mode check (mode in ('scheduled', 'asked', 'incident')),
    state text not null constraint ck_rotations_state
        check (state in ('running', 'done', 'rolled_back', 'superseded')),
    step text not null,
    from_version integer not null,
    to_version integer not null,
    grace_seconds double precision not null,
    asked_by text not null,
    reason text not null,
    flow_run_id text,
    problem text not null default '',
    detail jsonb not null default '{}',
    proofs jsonb not null default '[]',
    handover bytea,
    witness bytea,
    handed_over_at timestamptz,
    told_at timestamptz,
    proven_at timestamptz,
    overlap_until timestamptz,
    retired_at timestamptz,
    started_at timestamptz not null,
    step_at timestamptz not null,
    ended_at timestamptz
);
create unique index uq_rotations_running on ops.rotations (name) where state = 'running';
create index ix_rotations_started_at on ops.rotations (started_at);

create table ops.secret_versions (
    name text not null,
    version integer not null,
    kind text not null,
    reference text not null,
    stage text not null constraint ck_secret_versions_stage
        check (stage in ('pending', 'current', 'previous', 'retired')),
    made_by text not null,
    minted_at timestamptz not null,
    current_at timestamptz,
    retired_at timestamptz,
    constraint pk_secret_versions primary key (name, version)
);
create index ix_secret_versions_current on ops.secret_versions (name) where stage = 'current';

create table ops.secret_readers (
    process text constraint pk_secret_readers primary key,
    service text not null,
    rings jsonb not null,
    seen_at timestamptz not null
)"""

GRANTS = """
do $$ begin
    if exists (select from pg_roles where rolname = '{role}') then
        grant select, insert, update, delete on ops.rotations, ops.secret_versions, ops.secret_readers
            to {role};
    end if;
end $$"""

# A partner is told of keys that are for it.
WITNESSES = """
alter table api_keys add column witness boolean not null default false;

create or replace function publish_key() returns trigger language plpgsql as $$
begin
    if not new.witness and exists (
        select from api_keys
        where integration_id = new.integration_id and id <> new.id and not witness
    ) then
        perform publish_webhook(
            new.integration_id, 'integration.key.rotated', new.created_at,
            json_build_object('integration_id', new.integration_id, 'key_id', new.id));
    end if;
    return null;
end $$"""

PLAIN_KEYS = """
create or replace function publish_key() returns trigger language plpgsql as $$
begin
    if exists (select from api_keys where integration_id = new.integration_id and id <> new.id) then
        perform publish_webhook(
            new.integration_id, 'integration.key.rotated', new.created_at,
            json_build_object('integration_id', new.integration_id, 'key_id', new.id));
    end if;
    return null;
end $$"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS.format(role=APP_ROLE))
    op.execute(WITNESSES)


def downgrade() -> None:
    op.execute(PLAIN_KEYS)
    op.execute("alter table api_keys drop column witness")
    op.execute("drop table ops.secret_readers, ops.secret_versions, ops.rotations")
