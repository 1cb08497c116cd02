"""Orders that change: units that a warehouse is asked to cancel, and which order a stored event told of."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE fulfillment_order_lines ADD cancel_requested INTEGER DEFAULT '0' NOT NULL",
    """
    ALTER TABLE fulfillment_order_lines ADD CONSTRAINT ck_fulfillment_order_lines_cancel_requested
      CHECK (cancel_requested >= 0)
    """,
    """
    CREATE INDEX ix_fulfillment_orders_cancel_requested_at ON fulfillment_orders (cancel_requested_at)
      WHERE cancel_requested_at IS NOT NULL
    """,
    "CREATE INDEX ix_orders_name ON orders (name text_pattern_ops)",
    "CREATE INDEX ix_orders_ship_by ON orders (ship_by) WHERE status NOT IN ('SHIPPED', 'CANCELLED')",
    "ALTER TABLE inbound_events ADD order_external_id TEXT",
    """
    CREATE INDEX ix_inbound_events_order ON inbound_events (channel_id, order_external_id)
      WHERE order_external_id IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbound_events_order, ix_orders_ship_by, ix_orders_name")
    op.execute("DROP INDEX ix_fulfillment_orders_cancel_requested_at")
    op.execute("ALTER TABLE inbound_events DROP COLUMN order_external_id")
    op.execute("ALTER TABLE fulfillment_order_lines DROP COLUMN cancel_requested")
