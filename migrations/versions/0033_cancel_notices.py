"""Whether the channel of an order knows what was cancelled of it here."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLE = (
    """
    CREATE TABLE cancel_notices (
      order_id UUID NOT NULL,
      state TEXT DEFAULT 'PENDING' NOT NULL,
      reason TEXT NOT NULL,
      attempts INTEGER DEFAULT 0 NOT NULL,
      next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
      asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      told_at TIMESTAMP WITH TIME ZONE,
      acknowledged_at TIMESTAMP WITH TIME ZONE,
      error TEXT,
      CONSTRAINT pk_cancel_notices PRIMARY KEY (order_id),
      CONSTRAINT fk_cancel_notices_order_id FOREIGN KEY (order_id) REFERENCES orders (id),
      CONSTRAINT ck_cancel_notices_state
        CHECK (state IN ('PENDING', 'TOLD', 'ACKNOWLEDGED', 'REFUSED', 'LAPSED')),
      CONSTRAINT ck_cancel_notices_reason CHECK (reason IN ('SELLER', 'BUYER', 'STOCK', 'FRAUD'))
    )
    """,
    "CREATE INDEX ix_cancel_notices_next_attempt_at ON cancel_notices (next_attempt_at)"
    " WHERE state IN ('PENDING', 'TOLD')",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON cancel_notices TO onhand_app",
)

LANES = ("ZERO", "BULK", "SETTLE", "OBSERVE", "ORDERS", "CONFIRM", "REFUND")


def upgrade() -> None:
    for statement in TABLE:
        op.execute(statement)
    _set_lanes((*LANES, "CANCEL"))


def downgrade() -> None:
    op.execute("DELETE FROM sync_attempts WHERE lane = 'CANCEL'")
    _set_lanes(LANES)
    op.execute("DROP TABLE cancel_notices")


def _set_lanes(lanes: tuple[str, ...]) -> None:
    names = ", ".join(f"'{lane}'" for lane in lanes)
    op.execute("ALTER TABLE sync_attempts DROP CONSTRAINT ck_sync_attempts_lane")
    op.execute(f"ALTER TABLE sync_attempts ADD CONSTRAINT ck_sync_attempts_lane CHECK (lane IN ({names}))")
