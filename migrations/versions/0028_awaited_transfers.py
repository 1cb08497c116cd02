"""An order may wait for a transfer by name."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE transfers ADD order_id UUID CONSTRAINT fk_transfers_order_id REFERENCES orders (id)")
    op.execute("CREATE INDEX ix_transfers_order_id ON transfers (order_id) WHERE order_id IS NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE transfers DROP order_id")
