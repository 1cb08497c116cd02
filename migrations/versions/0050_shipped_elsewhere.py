"""Units that somebody else had shipped before their order was heard of, and when work got another address."""

from __future__ import annotations

from alembic import op

revision = "0050"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE order_lines ADD COLUMN shipped_elsewhere integer NOT NULL DEFAULT 0")
    op.execute(
        "ALTER TABLE order_lines ADD CONSTRAINT ck_order_lines_shipped_elsewhere "
        "CHECK (shipped_elsewhere BETWEEN 0 AND shipped)"
    )
    op.execute("ALTER TABLE fulfillment_orders ADD COLUMN address_changed_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE fulfillment_orders DROP COLUMN address_changed_at")
    op.execute("ALTER TABLE order_lines DROP COLUMN shipped_elsewhere")
