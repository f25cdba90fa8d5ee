"""Live users are found by an index of the live ones: what a look costs does not grow with those who left.

The index holds no moment, so that a heartbeat of somebody live writes no index at all; `api.core.presence`
writes down who has fallen silent.
"""

from alembic import op

revision = "0012_live_index"
down_revision = "0011_accounted"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index ix_presence_live on presence (integration_id, external_user_id) where status = 'live'"
    )


def downgrade() -> None:
    op.execute("drop index ix_presence_live")
