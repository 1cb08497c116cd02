"""Where a channel's list of returns was left, so that a long one goes on."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE channel_health ADD returns_list JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE channel_health DROP returns_list")
