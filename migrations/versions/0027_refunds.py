"""A refund is told to the channel by a queue, returns are polled where a channel sends none, an exchange is an order."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

LANES = ("ZERO", "BULK", "SETTLE", "OBSERVE", "ORDERS", "CONFIRM")
STATES = "'NONE', 'PENDING', 'SENT', 'REFUSED'"
UP = (
    f"""
    ALTER TABLE returns
      ADD refund_state TEXT DEFAULT 'NONE' NOT NULL,
      ADD refund_attempts INTEGER DEFAULT 0 NOT NULL,
      ADD refund_next_at TIMESTAMP WITH TIME ZONE,
      ADD refund_first_at TIMESTAMP WITH TIME ZONE,
      ADD refund_error TEXT,
      ADD refund_external_id TEXT,
      ADD exchange_lines JSON,
      ADD CONSTRAINT ck_returns_refund_state CHECK (refund_state IN ({STATES})),
      ADD CONSTRAINT ck_returns_refund_due CHECK ((refund_state = 'PENDING') = (refund_next_at IS NOT NULL))
    """,
    "CREATE INDEX ix_returns_refund_next_at ON returns (refund_next_at) WHERE refund_state = 'PENDING'",
    "CREATE INDEX ix_returns_exchange ON returns (id) WHERE exchange_lines IS NOT NULL",
    "CREATE INDEX ix_returns_exchange_order_id ON returns (exchange_order_id) WHERE exchange_order_id IS NOT NULL",
    "CREATE INDEX ix_orders_exchange_of ON orders (exchange_of) WHERE exchange_of IS NOT NULL",
    """
    ALTER TABLE channel_health
      ADD returns_polled_at TIMESTAMP WITH TIME ZONE,
      ADD returns_until TIMESTAMP WITH TIME ZONE
    """,
)
DOWN = (
    "ALTER TABLE channel_health DROP returns_polled_at, DROP returns_until",
    "DROP INDEX ix_orders_exchange_of",
    "DROP INDEX ix_returns_exchange_order_id",
    """
    ALTER TABLE returns DROP refund_state, DROP refund_attempts, DROP refund_next_at, DROP refund_first_at,
      DROP refund_error, DROP refund_external_id, DROP exchange_lines
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)
    _set_lanes((*LANES, "REFUND", "RETURNS"))


def downgrade() -> None:
    op.execute("DELETE FROM sync_attempts WHERE lane IN ('REFUND', 'RETURNS')")
    _set_lanes(LANES)
    for statement in DOWN:
        op.execute(statement)


def _set_lanes(lanes: tuple[str, ...]) -> None:
    names = ", ".join(f"'{lane}'" for lane in lanes)
    op.execute("ALTER TABLE sync_attempts DROP CONSTRAINT ck_sync_attempts_lane")
    op.execute(f"ALTER TABLE sync_attempts ADD CONSTRAINT ck_sync_attempts_lane CHECK (lane IN ({names}))")
