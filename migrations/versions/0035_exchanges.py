"""Orders that are sent instead of what came back, each linked to the order and the return that it answers."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE orders
      ADD channel_knows BOOLEAN DEFAULT true NOT NULL,
      ADD CONSTRAINT fk_orders_exchange_of FOREIGN KEY (exchange_of) REFERENCES orders (id),
      ADD CONSTRAINT ck_orders_exchange CHECK (exchange_of <> id)
    """,
    "CREATE INDEX ix_orders_exchange_of ON orders (exchange_of) WHERE exchange_of IS NOT NULL",
    "ALTER TABLE returns ADD exchange_amount NUMERIC(14, 4)",
    "CREATE INDEX ix_returns_exchange_order_id ON returns (exchange_order_id) WHERE exchange_order_id IS NOT NULL",
    """
    UPDATE orders o SET exchange_of = r.order_id FROM returns r
    WHERE r.exchange_order_id = o.id AND r.order_id <> o.id AND o.exchange_of IS NULL
    """,
    """
    UPDATE returns SET exchange_amount = 0
    WHERE exchange_order_id IS NOT NULL OR (exchange_reference IS NOT NULL AND origin = 'SUPPORT')
    """,
)
DOWN = (
    "DROP INDEX ix_returns_exchange_order_id",
    "ALTER TABLE returns DROP exchange_amount",
    "DROP INDEX ix_orders_exchange_of",
    """
    ALTER TABLE orders DROP CONSTRAINT ck_orders_exchange, DROP CONSTRAINT fk_orders_exchange_of,
      DROP channel_knows
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
