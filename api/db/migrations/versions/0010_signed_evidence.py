"""Evidence is signed, and the database itself takes a record only where its stream ends."""

from alembic import op

revision = "0010_signed_evidence"
down_revision = "0009_rehearsals"
branch_labels = None
depends_on = None

SIGNED = """
ALTER TABLE ops.evidence ADD COLUMN key_id text, ADD COLUMN signature text,
    ADD CONSTRAINT evidence_signed_whole CHECK ((key_id IS NULL) = (signature IS NULL)) NOT VALID;

CREATE FUNCTION ops.continue_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    SELECT seq, hash INTO last FROM ops.evidence WHERE stream = NEW.stream ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> coalesce(last.seq, 0) + 1 OR NEW.previous_hash <> coalesce(last.hash, repeat('0', 64)) THEN
        RAISE EXCEPTION 'ops.evidence is a chain: record % of % does not follow the last one',
            NEW.seq, NEW.stream;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_continues BEFORE INSERT ON ops.evidence
    FOR EACH ROW EXECUTE FUNCTION ops.continue_chain();
"""


def upgrade() -> None:
    op.execute(SIGNED)


def downgrade() -> None:
    op.execute(
        "DROP TRIGGER evidence_continues ON ops.evidence; DROP FUNCTION ops.continue_chain();"
        "ALTER TABLE ops.evidence DROP COLUMN key_id, DROP COLUMN signature"
    )
