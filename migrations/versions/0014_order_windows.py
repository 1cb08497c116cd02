"""A poll for orders that is not through is gone on with where it was."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE channel_health ADD COLUMN orders_window jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE channel_health DROP COLUMN orders_window")
