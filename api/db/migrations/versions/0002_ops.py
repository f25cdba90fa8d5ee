"""Schema `ops`: drills, beacons, fingerprints and the evidence ledger.

The ledger is append-only for everyone who is not the owner: a trigger refuses UPDATE, DELETE and TRUNCATE.
"""

from alembic import op

revision = "0002_ops"
down_revision = "0001_product"

APP_ROLE = "firstuser_app"

TABLES = """
CREATE SCHEMA ops;

CREATE TABLE ops.drills (
    id text PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('running', 'passed', 'failed', 'error')),
    phase text NOT NULL,
    trigger text NOT NULL,
    flow_run_id text,
    asked_target text NOT NULL,
    target_time timestamptz,
    restore_point text,
    rto_target double precision NOT NULL,
    rpo_target double precision NOT NULL,
    check_names jsonb NOT NULL,
    keep_until timestamptz,
    database_name text,
    database jsonb,
    staging_home text,
    staging_restored_at timestamptz,
    database_destroyed_at timestamptz,
    rto_seconds double precision,
    rto_parts jsonb NOT NULL DEFAULT '{}',
    rpo_seconds double precision,
    rpo_parts jsonb NOT NULL DEFAULT '{}',
    checks jsonb NOT NULL DEFAULT '[]',
    issues jsonb NOT NULL DEFAULT '[]',
    next_step text NOT NULL DEFAULT '',
    evidence_id text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX ix_drills_started_at ON ops.drills (started_at DESC);
CREATE INDEX ix_drills_to_undo ON ops.drills (id)
    WHERE (staging_home IS NOT NULL AND staging_restored_at IS NULL)
       OR (database_name IS NOT NULL AND database_destroyed_at IS NULL)
       OR status = 'running';

CREATE TABLE ops.beacons (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    lsn text NOT NULL,
    snapshot text NOT NULL,
    sample jsonb NOT NULL
);
CREATE INDEX ix_beacons_at ON ops.beacons (at);

CREATE TABLE ops.fingerprints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    snapshot text NOT NULL,
    tables jsonb NOT NULL,
    facts jsonb NOT NULL
);
CREATE INDEX ix_fingerprints_at ON ops.fingerprints (at);

CREATE TABLE ops.evidence (
    id text PRIMARY KEY,
    stream text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    recorded_at timestamptz NOT NULL,
    body jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL,
    UNIQUE (stream, seq)
);

CREATE FUNCTION ops.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ops.evidence is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER evidence_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
"""

GRANTS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        GRANT USAGE ON SCHEMA ops TO {role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ops.drills, ops.beacons, ops.fingerprints TO {role};
        REVOKE ALL ON ops.evidence FROM {role};
        GRANT SELECT, INSERT ON ops.evidence TO {role};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA ops TO {role};
    END IF;
END $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS.format(role=APP_ROLE))


def downgrade() -> None:
    op.execute("DROP SCHEMA ops CASCADE")
