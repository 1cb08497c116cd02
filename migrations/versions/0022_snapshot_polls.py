"""When each partner was last asked for a snapshot of its stock."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE partners ADD COLUMN snapshot_polled_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE partners DROP COLUMN snapshot_polled_at")
