"""Preflights, their results and sign-offs; owners, waivers, rehearsals; which spaces are synthetic."""

from alembic import op

revision = "0006_preflight"
down_revision = "0005_alerts"
branch_labels = None
depends_on = None

APP_ROLE = "firstuser_app"

SYNTHETIC = "alter table spaces add column synthetic boolean not null default false"

TABLES = """
create table ops.preflights (
    id text primary key,
    flow_run_id text,
    trigger text not null,
    status text not null check (status in ('running', 'decided', 'error')),
    target jsonb not null,
    release text not null,
    configuration text not null,
    facts text not null,
    checks jsonb not null,
    not_checked jsonb not null,
    verdict text check (verdict in ('go', 'go_with_warnings', 'no_go')),
    headline text not null default '',
    reasons jsonb not null default '[]',
    next_step text not null default '',
    waivers jsonb not null default '[]',
    started_at timestamptz not null,
    finished_at timestamptz,
    expires_at timestamptz,
    evidence_id text
);
create index ix_preflights_started_at on ops.preflights (started_at desc);

create table ops.preflight_results (
    preflight_id text not null references ops.preflights on delete cascade,
    name text not null,
    began_at timestamptz not null,
    result jsonb,
    primary key (preflight_id, name)
);

create table ops.sign_offs (
    id text primary key,
    preflight_id text not null references ops.preflights on delete cascade,
    approved boolean not null,
    by_id text not null,
    by_name text not null,
    via text not null,
    note text not null,
    release text not null,
    configuration text not null,
    facts text not null,
    at timestamptz not null,
    evidence_id text not null
);
create unique index uq_sign_offs_preflight_id on ops.sign_offs (preflight_id);

create table ops.owners (
    role text primary key check (role in ('incident', 'rollback', 'release')),
    id text not null unique,
    name text not null,
    founder_id text not null default '',
    channel text not null check (channel in ('sms', 'email')),
    address_cipher bytea not null,
    address_masked text not null,
    same_reason text not null default '',
    assigned_by text not null,
    assigned_at timestamptz not null,
    code_sha256 bytea unique,
    code_expires_at timestamptz,
    called_at timestamptz,
    confirmed_at timestamptz
);

create table ops.waivers (
    id text primary key,
    check_name text not null,
    reason text not null,
    requester text not null,
    approver text,
    requested_at timestamptz not null,
    approved_at timestamptz,
    expires_at timestamptz not null,
    ended_at timestamptz,
    check (approver is null or approver <> requester)
);

create table ops.rehearsals (
    id text primary key,
    flow_run_id text,
    service text not null,
    of_release text not null,
    to_release text not null,
    status text not null check (status in ('running', 'passed', 'failed')),
    step text not null,
    detail text not null default '',
    back_seconds double precision,
    forth_seconds double precision,
    started_at timestamptz not null,
    finished_at timestamptz,
    evidence_id text
);
create index ix_rehearsals_started_at on ops.rehearsals (started_at desc)
"""

NAMES = "ops.preflights, ops.preflight_results, ops.sign_offs, ops.owners, ops.waivers, ops.rehearsals"

GRANTS = f"""
do $$ begin
    if exists (select from pg_roles where rolname = '{APP_ROLE}') then
        grant select, insert, update, delete on {NAMES} to {APP_ROLE};
    end if;
end $$
"""


def upgrade() -> None:
    op.execute(SYNTHETIC)
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute(f"drop table {NAMES}")
    op.execute("alter table spaces drop column synthetic")
