"""Lines that a store adds to an order instead of what comes back, each linked to the return that it answers."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE order_lines ADD exchange_return_id UUID,"
        " ADD CONSTRAINT fk_order_lines_exchange_return_id FOREIGN KEY (exchange_return_id) REFERENCES returns (id)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE order_lines DROP exchange_return_id")
