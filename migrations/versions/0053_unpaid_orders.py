"""Orders that wait to be paid, the oldest first."""

from __future__ import annotations

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_orders_unpaid ON orders (placed_at) "
        "WHERE payment = 'PENDING' AND status NOT IN ('SHIPPED', 'CANCELLED')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_orders_unpaid")
