"""Event subscriptions are looked at on a schedule; a channel knows when it was connected, a listing that it is uncounted."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE channels ADD COLUMN connected_at timestamptz NOT NULL DEFAULT now()")
    op.execute("ALTER TABLE channel_health ADD COLUMN subscribed_to text")
    op.execute("ALTER TABLE channel_health ADD COLUMN subscriptions_due_at timestamptz")
    op.execute("ALTER TABLE listings ADD COLUMN untracked boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    op.execute("ALTER TABLE listings DROP COLUMN untracked")
    op.execute("ALTER TABLE channel_health DROP COLUMN subscriptions_due_at")
    op.execute("ALTER TABLE channel_health DROP COLUMN subscribed_to")
    op.execute("ALTER TABLE channels DROP COLUMN connected_at")
