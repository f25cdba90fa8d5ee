"""Alerts: episodes, their outbox, channels, single-use codes, silences; heartbeats of loops; 5xx counts."""

from alembic import op

revision = "0005_alerts"
down_revision = "0004_deliveries"
branch_labels = None
depends_on = None

ALERTS = """
create table alerts (
    id text constraint pk_alerts primary key,
    identity text not null,
    env text not null,
    rule text not null,
    scope text not null,
    app_id text not null,
    severity text not null,
    title text not null,
    message text not null,
    metadata jsonb not null default '{}',
    seen bigint not null default 1,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    notified_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz
);
create unique index uq_alerts_open on alerts (identity) where resolved_at is null;
create index ix_alerts_opened_at on alerts (opened_at);

create table alert_occurrences (
    id bigint generated always as identity constraint pk_alert_occurrences primary key,
    alert_id text not null
        constraint fk_alert_occurrences_alert_id_alerts references alerts on delete cascade,
    at timestamptz not null,
    metadata jsonb not null default '{}'
);
create index ix_alert_occurrences_alert_id on alert_occurrences (alert_id)"""

OUTBOX = """
create table alert_messages (
    id text constraint pk_alert_messages primary key,
    seq bigint not null generated always as identity,
    alert_id text not null constraint fk_alert_messages_alert_id_alerts references alerts on delete cascade,
    kind text not null,
    state text not null default 'due',
    channel text not null default 'primary',
    due_at timestamptz not null,
    attempts integer not null default 0,
    first_tried_at timestamptz,
    claim_id text,
    claimed_until timestamptz,
    sent_at timestamptz,
    sent_by text,
    receipt text,
    read_back_at timestamptz,
    problem text
);
create index ix_alert_messages_due on alert_messages (due_at) where state = 'due';
create index ix_alert_messages_alert_id on alert_messages (alert_id);
create unique index uq_alert_messages_pending on alert_messages (alert_id)
    where state = 'due' and kind <> 'resolved';

create table alert_channels (
    name text constraint pk_alert_channels primary key,
    kind text not null,
    fingerprint text not null,
    next_send_at timestamptz not null,
    dead_since timestamptz,
    problem text
);

create table alert_ack_codes (
    code_sha256 bytea constraint pk_alert_ack_codes primary key,
    alert_id text not null constraint fk_alert_ack_codes_alert_id_alerts references alerts on delete cascade,
    message_id text not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    used_by text
);
create index ix_alert_ack_codes_alert_id on alert_ack_codes (alert_id)"""

SILENCES = """
create table alert_silences (
    id text constraint pk_alert_silences primary key,
    rule text not null default '',
    scope text not null default '',
    app_id text not null default '',
    owner text not null,
    reason text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
)"""

SIGNS_OF_LIFE = """
create table heartbeats (
    name text constraint pk_heartbeats primary key,
    beat_at timestamptz not null,
    silence_seconds double precision not null,
    since timestamptz not null
);
create table watcher_reports (
    name text constraint pk_watcher_reports primary key,
    reported_at timestamptz not null,
    dead_man boolean not null,
    dead_man_ok_at timestamptz
);
create table answer_minutes (
    minute timestamptz constraint pk_answer_minutes primary key,
    answers bigint not null,
    failures bigint not null
)"""

TABLES = [ALERTS, OUTBOX, SILENCES, SIGNS_OF_LIFE]


def upgrade() -> None:
    for statements in TABLES:
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "drop table answer_minutes, watcher_reports, heartbeats, alert_silences, alert_ack_codes,"
        " alert_channels, alert_messages, alert_occurrences, alerts"
    )
