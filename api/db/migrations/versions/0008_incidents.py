"""The incident watch: minutes of exchanges, instances, probes; standings, overrides, episodes, actions."""

from alembic import op

revision = "0008_incidents"
down_revision = "0007_rotation"
branch_labels = None
depends_on = None

OBSERVED = """
create table exchange_minutes (
    minute timestamptz not null,
    integration_id text not null,
    instance text not null,
    failed bigint not null,
    attempted bigint not null,
    seen_failed bigint not null,
    seen_attempted bigint not null,
    constraint pk_exchange_minutes primary key (minute, integration_id, instance)
);
create table exchange_quarantine (
    minute timestamptz not null,
    integration_id text not null,
    instance text not null,
    failed bigint not null,
    attempted bigint not null,
    received_at timestamptz not null,
    constraint pk_exchange_quarantine primary key (minute, integration_id, instance)
);
create table api_instances (
    instance text constraint pk_api_instances primary key,
    release text not null,
    deploy_id text not null,
    flags text not null,
    seen_at timestamptz not null
);
create table readiness_probes (
    at timestamptz constraint pk_readiness_probes primary key,
    outcome text not null,
    detail text not null
)"""

JUDGED = """
create table incident_standings (
    rule text not null,
    scope text not null,
    verdict text not null,
    judged_at timestamptz not null,
    observed_until timestamptz not null,
    numbers jsonb not null,
    paged text not null default '',
    constraint pk_incident_standings primary key (rule, scope)
);
create table incident_overrides (
    id text constraint pk_incident_overrides primary key,
    rule text not null,
    mode text not null,
    actor text not null,
    reason text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create table incident_episodes (
    id text constraint pk_incident_episodes primary key,
    rule text not null,
    scope text not null,
    number integer not null,
    mode text not null,
    cause text not null,
    since timestamptz not null,
    tripped_at timestamptz not null,
    numbers jsonb not null,
    verified_at timestamptz,
    helped boolean,
    proposed_at timestamptz,
    resolved_at timestamptz,
    resolved_by text,
    constraint uq_incident_episodes_rule unique (rule, scope, number)
);
create unique index uq_incident_episodes_open on incident_episodes (rule, scope) where resolved_at is null"""

DONE = """
create table incident_actions (
    id text constraint pk_incident_actions primary key,
    episode_id text not null
        constraint fk_incident_actions_episode_id_incident_episodes
        references incident_episodes on delete cascade,
    kind text not null,
    target text not null,
    place integer not null,
    state text not null,
    claim_id text,
    claimed_until timestamptz,
    attempts integer not null default 0,
    acted_at timestamptz,
    acted_by text not null default '',
    observed_at timestamptz,
    undone_at timestamptz,
    detail jsonb not null default '{}',
    constraint uq_incident_actions_episode_id unique (episode_id, kind, target)
);
create index ix_incident_actions_episode_id on incident_actions (episode_id);
create table incident_timeline (
    id bigint generated always as identity constraint pk_incident_timeline primary key,
    episode_id text not null
        constraint fk_incident_timeline_episode_id_incident_episodes
        references incident_episodes on delete cascade,
    at timestamptz not null,
    kind text not null,
    actor text not null,
    said text not null,
    recorded_at timestamptz not null default now()
);
create index ix_incident_timeline_episode_id on incident_timeline (episode_id)"""


def upgrade() -> None:
    for statements in (OBSERVED, JUDGED, DONE):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "drop table incident_timeline, incident_actions, incident_episodes, incident_overrides,"
        " incident_standings, readiness_probes, api_instances, exchange_quarantine, exchange_minutes"
    )
