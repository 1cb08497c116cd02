"""Listings whose channel may have put units back by itself, and the order lines of which it may yet do so."""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE listings ADD put_back BOOLEAN DEFAULT false NOT NULL")
    op.execute("CREATE INDEX ix_order_lines_untold ON order_lines (sku_id, order_id) WHERE untold > 0")


def downgrade() -> None:
    op.execute("DROP INDEX ix_order_lines_untold")
    op.execute("ALTER TABLE listings DROP put_back")
