"""Promises that are agreed on anew: what the channel said stays known, and the earlier of both dates is the promise."""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_OPEN = "WHERE status NOT IN ('SHIPPED', 'CANCELLED')"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE orders ADD told_ship_by TIMESTAMP WITH TIME ZONE, ADD told_deliver_by TIMESTAMP WITH TIME ZONE"
    )
    op.execute("DROP INDEX ix_orders_ship_by")
    op.execute(f"CREATE INDEX ix_orders_promise ON orders (least(ship_by, deliver_by)) {_OPEN}")


def downgrade() -> None:
    op.execute("DROP INDEX ix_orders_promise")
    op.execute(f"CREATE INDEX ix_orders_ship_by ON orders (ship_by) {_OPEN}")
    op.execute("ALTER TABLE orders DROP told_ship_by, DROP told_deliver_by")
