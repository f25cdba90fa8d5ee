"""Rehearsals know the deploys that they go back to and come home to."""

from alembic import op

revision = "0009_rehearsals"
down_revision = "0008_incidents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "alter table ops.rehearsals add column home text not null default '',"
        " add column back_to text not null default ''"
    )


def downgrade() -> None:
    op.execute("alter table ops.rehearsals drop column home, drop column back_to")
