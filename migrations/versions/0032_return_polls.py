"""When a channel was last asked for returns, and which of its records of one is the latest."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE channel_health ADD returns_polled_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "CREATE INDEX ix_inbound_events_returns ON inbound_events (channel_id, occurred_at)"
        " WHERE topic = 'EXTERNAL_RETURN'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbound_events_returns")
    op.execute("ALTER TABLE channel_health DROP returns_polled_at")
